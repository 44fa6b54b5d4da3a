"""What ``data`` may return, what it becomes, and how what it may not is explained."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import worker.data.samples
from recipes import Task
from worker.data.data import DATA_SEED, MAX_MADE, TaskData, load_data
from worker.data.stratified import draw_stratified
from worker.describe.errors import TaskError

CPU = torch.device("cpu")


class Toy(Task):
    """A task whose splits are given."""

    num_classes = 3

    def __init__(self, kind: str = "classification", **splits: Any) -> None:
        self.kind = kind  # type: ignore[misc, assignment]
        self.splits = splits

    def data(self, split):
        found = self.splits.get(split)
        return found() if callable(found) else found


class Images(Dataset):
    """A dataset that decodes its samples one by one, and counts how often."""

    def __init__(self, num: int, targets: bool = True) -> None:
        self.num = num
        self.decoded = 0
        if targets:
            self.targets = [row % 3 for row in range(num)]

    def __len__(self) -> int:
        return self.num

    def __getitem__(self, row: int):
        self.decoded += 1
        return torch.full((2, 4), float(row)), row % 3


def pair(num: int = 30, dtype: torch.dtype = torch.int64):
    return torch.arange(num * 2.0).reshape(num, 2), (torch.arange(num) % 3).to(dtype)


def load(*args: Any, **splits: Any) -> TaskData:
    return load_data(Toy(*args, **splits), CPU)


def problem_of(*args: Any, **splits: Any):
    with pytest.raises(TaskError) as caught:
        load(*args, **splits)
    problem = caught.value.problem
    assert problem.cure
    assert problem.file == __file__
    return problem


@pytest.mark.parametrize(
    "train",
    [
        pair(),
        list(pair()),
        tuple(part.numpy() for part in pair()),
        (pair()[0].double().numpy(), pair()[1].numpy().astype(np.uint8)),
        TensorDataset(*pair()),
        list(zip(*pair(), strict=True)),
        [(row.numpy(), int(label)) for row, label in zip(*pair(), strict=True)],
    ],
)
def test_all_forms_of_data_become_the_same_tensors(train: Any) -> None:
    data = load(train=train, val=pair())
    inputs, targets = data["train"].batch(torch.tensor([4, 0]))

    assert (inputs.dtype, targets.dtype) == (torch.float32, torch.int64)
    assert inputs.tolist() == [[8, 9], [0, 1]]
    assert targets.tolist() == [1, 0]


def test_splits_know_their_size_and_origin() -> None:
    data = load(train=pair(30), val=pair(9), test=pair(6))

    found = {name: (split.num_samples, split.origin) for name, split in data.splits.items()}
    assert found == {"train": (30, "task"), "val": (9, "task"), "test": (6, "task")}
    assert data.device == CPU


def test_a_missing_validation_split_is_cut_from_train() -> None:
    data = load(train=pair(30))
    rows = [data[name].batch(torch.arange(data[name].num_samples)) for name in ("train", "val")]

    assert "test" not in data
    assert data["val"].origin == "made"
    assert (data["train"].num_samples, data["val"].num_samples) == (24, 6)
    assert rows[1][1].bincount().tolist() == [2, 2, 2]
    together = torch.cat([rows[0][0], rows[1][0]])[:, 0]
    assert together.sort().values.tolist() == pair(30)[0][:, 0].tolist()


def test_a_made_split_is_the_same_every_time_and_bounded() -> None:
    first, second = (load(train=pair(60_000)) for _ in range(2))
    rows = torch.arange(MAX_MADE)

    assert first["val"].num_samples == MAX_MADE
    assert torch.equal(first["val"].batch(rows)[0], second["val"].batch(rows)[0])


def test_data_too_large_to_hold_is_fetched_by_index(monkeypatch: pytest.MonkeyPatch) -> None:
    held = load(train=Images(30), val=Images(6))
    monkeypatch.setattr(worker.data.samples, "MAX_HELD_BYTES", 100)
    images = Images(30)
    fetched = load(train=images, val=Images(6))
    before = images.decoded
    rows = torch.tensor([7, 3, 3])

    assert all(
        torch.equal(*both)
        for both in zip(held["train"].batch(rows), fetched["train"].batch(rows), strict=True)
    )
    assert images.decoded == before + 3


def test_fetched_data_gives_the_same_made_split_as_held_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = load(train=Images(30))
    monkeypatch.setattr(worker.data.samples, "MAX_HELD_BYTES", 100)
    fetched = load(train=Images(30))
    unlisted = load(train=Images(30, targets=False))
    rows = torch.arange(6)

    assert torch.equal(held["val"].batch(rows)[0], fetched["val"].batch(rows)[0])
    assert unlisted["val"].num_samples == 6


def test_stratified_indices_keep_the_shares_and_depend_on_the_seed_alone() -> None:
    labels = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    data = load(train=(torch.zeros(100, 2), labels), val=pair())
    chosen = data.stratified_indices("train", 20, seed=3)

    assert labels[chosen].bincount().tolist() == [12, 6, 2]
    assert torch.equal(chosen, data.stratified_indices("train", 20, seed=3))
    assert not torch.equal(chosen, data.stratified_indices("train", 20, seed=4))
    assert chosen.dtype == torch.int64
    assert torch.equal(chosen, chosen.unique())


def test_stratified_indices_of_more_than_there_are() -> None:
    data = load(train=pair(30), val=pair(9))

    assert data.stratified_indices("val", 50, seed=0).tolist() == list(range(9))


@pytest.mark.parametrize("num", [1, 7, 32, 99])
def test_quotas_add_up_with_many_classes(num: int) -> None:
    labels = torch.arange(100) % 37

    assert len(draw_stratified(labels, 100, num, DATA_SEED)) == num


def test_a_draw_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        draw_stratified(None, 10, 0, 1)


@pytest.mark.parametrize(
    ("kind", "targets"),
    [
        ("regression", torch.randn(30, 2)),
        ("classification", torch.zeros(30, 4, dtype=torch.int64)),
        ("multilabel", torch.zeros(30, 3)),
    ],
)
def test_targets_without_single_labels_are_drawn_plainly(kind: str, targets) -> None:
    data = load(kind, train=(torch.zeros(30, 2), targets))

    assert (data["train"].num_samples, data["val"].num_samples) == (24, 6)
    assert len(data.stratified_indices("train", 5, seed=1)) == 5


def test_binary_targets_are_stratified() -> None:
    targets = torch.tensor([1.0] * 5 + [0.0] * 45)
    data = load("binary", train=(torch.zeros(50, 2), targets))

    assert data["val"].batch(torch.arange(10))[1].sum() == 1


def raising():
    raise OSError("disk gone")


class Stream(IterableDataset):
    def __iter__(self):
        yield from ()


class Broken(Images):
    def __getitem__(self, row: int):
        if row == 2:
            raise KeyError("no such file")
        return super().__getitem__(row)


@pytest.mark.parametrize(
    ("train", "message", "cure"),
    [
        (None, "returned None", "training samples"),
        (raising, "OSError: disk gone", "returned as None"),
        (3, "a int", "pair (inputs, targets)"),
        ("train", "a str", "pair"),
        (torch.zeros(3), "one Tensor", "pair"),
        ((*pair(), torch.zeros(3)), "3 tensors", "return two"),
        ((torch.zeros(5, 2), torch.zeros(4).long()), "5 inputs and 4 targets", "one target for"),
        ((torch.zeros(5, 2), torch.tensor(1)), "targets without a dimension", "first dimension"),
        ((torch.zeros(0, 2), torch.zeros(0).long()), "is empty", "at least one"),
        ([], "is empty", "at least one"),
        ((torch.zeros(4, 0), torch.zeros(4).long()), "no values", "size above 0"),
        ((torch.zeros(4, 2), torch.zeros(4)), "float32 ()", "targets.long()"),
        ((np.array(["a", "b"]), np.zeros(2, int)), "does not convert", "numbers"),
        (DataLoader(TensorDataset(*pair())), "a DataLoader", "the dataset itself"),
        (Stream(), "a Stream", "map-style"),
        (Broken(5), "sample 2 of", "__getitem__"),
        ([1, 2, 3], "is a int, not a pair", "(input, target)"),
        ([("a", 1)], "pair of str and int", "ToTensor"),
        ([({"x": 1}, 1)], "pair of dict and int", "ToTensor"),
        ([(torch.zeros(2), 1), (torch.zeros(3), 1)], "(3,), that of sample 0", "one shape"),
        ((torch.zeros(1, 2), torch.zeros(1).long()), "training needs 2", "more samples"),
        ((torch.zeros(2, 2), torch.zeros(2).long()), "too few", "more samples"),
    ],
)
def test_data_that_cannot_be_used(train: Any, message: str, cure: str) -> None:
    problem = problem_of(train=train)

    assert message in problem.message
    assert cure in problem.cure


def test_the_line_that_raised_is_named() -> None:
    problem = problem_of(train=raising)

    assert problem.line == raising.__code__.co_firstlineno + 1
    assert problem.traceback is not None
    assert "disk gone" in problem.traceback


@pytest.mark.parametrize(
    ("kind", "targets", "message", "cure"),
    [
        ("binary", torch.zeros(30).long(), "whole numbers", "targets.float()"),
        ("regression", torch.zeros(30).long(), "whole numbers", "targets.float()"),
        ("multilabel", torch.zeros(30, 3).bool(), "whole numbers", "targets.float()"),
        ("multilabel", torch.zeros(30), "float32 ()", "(N, C)"),
        ("multilabel", torch.zeros(30, 4), "4 columns", "agree"),
    ],
)
def test_targets_of_the_wrong_form(kind: str, targets, message: str, cure: str) -> None:
    problem = problem_of(kind, train=(torch.zeros(30, 2), targets))

    assert message in problem.message
    assert cure in problem.cure


@pytest.mark.parametrize(
    "val",
    [
        (torch.zeros(5, 3), torch.zeros(5).long()),
        (torch.zeros(5, 2).long(), torch.zeros(5).long()),
        (torch.zeros(5, 2), torch.zeros(5, 1).long()),
    ],
)
def test_splits_of_different_form(val: Any) -> None:
    problem = problem_of(train=pair(), val=val)

    assert "val" in problem.message
    assert "same way" in problem.cure


def test_unusual_numbers_are_no_reason_to_refuse() -> None:
    inputs, targets = pair()
    inputs[3, 0] = float("nan")
    data = load(train=(inputs, targets + 5), val=pair())

    assert data["train"].num_samples == 30


def test_a_pair_is_asked_for_once_a_split() -> None:
    asked: list[int] = []

    def counted() -> Callable[[], object] | tuple[torch.Tensor, torch.Tensor]:
        asked.append(1)
        return pair()

    load(train=counted)
    assert asked == [1]
