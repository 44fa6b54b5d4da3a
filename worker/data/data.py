"""The data of a task: loaded and checked once, then indexed on the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from recipes.task import SplitName, Task
from recipes.words import plural
from worker.data.samples import Samples, take
from worker.data.stratified import draw_stratified
from worker.describe.checks.samples import check_pair, check_same_form
from worker.describe.errors import TaskError, raised, task_error
from worker.describe.loader import task_file

MADE_SHARE = 0.2
"""Share of the training data that becomes a validation split where the task has none."""
MAX_MADE = 10_000
"""Most samples of a made validation split: its standard error is then at most 0.5 %."""
DATA_SEED = 20_200_417
"""Draws the made validation split. One number for all studies, so that studies on the
same data compare; it has nothing to do with a study's seed."""


@dataclass(frozen=True)
class Split:
    """One split. ``origin`` is ``made`` when it was cut from the training data."""

    name: SplitName
    origin: Literal["task", "made"]
    samples: Samples

    @property
    def num_samples(self) -> int:
        """How many samples it has; at least one."""
        return self.samples.num_samples

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets, on the device.

        Args:
            indices: int64 (B,), on any device, each in [0, num_samples).

        Returns:
            Inputs (B, ...) and targets (B, ...), in the order of the indices.
        """
        return self.samples.batch(indices)


@dataclass(frozen=True)
class TaskData:
    """The splits of a task by name: train and val always, test where the task has one."""

    splits: Mapping[SplitName, Split]
    device: torch.device
    kind: str

    def __getitem__(self, name: str) -> Split:
        return self.splits[name]  # type: ignore[index]  # a name from outside; KeyError says so

    def __contains__(self, name: object) -> bool:
        return name in self.splits

    def stratified_indices(self, split: str, num: int, seed: int) -> Tensor:
        """A fixed subset of a split, the classes in the shares they have there.

        Args:
            split: The split's name.
            num: How many samples; all of them when the split has no more.
            seed: Draws the subset. The same seed gives the same subset on every machine.

        Returns:
            int64 (min(num, num_samples),), rising, on the CPU. Where there are no single
            labels (regression, a label for every position) the draw is plain.
        """
        source = self[split]
        return draw_stratified(_labels(source, self.kind), source.num_samples, num, seed)


def load_data(task: Task, device: torch.device) -> TaskData:
    """The task's data, checked, on the device where it fits (``worker/samples.py``).

    float64 becomes float32 and narrow integer targets int64, the types models and losses
    are made for. Without a validation split one is made from the training data.

    Raises:
        TaskError: ``data`` raised, or returned something that cannot be trained on.
    """
    file = task_file(task)
    splits: dict[SplitName, Split] = {}
    for name in get_args(SplitName):
        samples = _load_split(task, name, device, file)
        if samples is not None:
            splits[name] = Split(name, "task", samples)
    if "train" not in splits:
        raise task_error(
            'data("train") returned None',
            cure="return the training samples: a dataset or a pair (inputs, targets)",
            file=file,
        )
    for name in splits:
        check_same_form(splits["train"].samples, splits[name].samples, name, file=file)
    if "val" not in splits:
        splits["train"], splits["val"] = _make_val(splits["train"], task.kind, file)
    ordered = {name: splits[name] for name in get_args(SplitName) if name in splits}
    return TaskData(ordered, device, task.kind)


def _load_split(
    task: Task, name: SplitName, device: torch.device, file: str | None
) -> Samples | None:
    try:
        returned: Any = task.data(name)
    except TaskError:  # says itself what is wrong, and where
        raise
    except Exception as error:
        raise raised(
            error,
            f'data("{name}") raised',
            cure="correct it; a split that does not exist is returned as None",
            file=file,
        ) from error
    if returned is None:
        return None
    samples = take(returned, name, device, file=file)
    check_pair(task, samples, name, file=file)
    return samples


def _make_val(train: Split, kind: str, file: str | None) -> tuple[Split, Split]:
    num = min(int(train.num_samples * MADE_SHARE), MAX_MADE)
    if num < 1:
        raise task_error(
            f'data("train") has {plural(train.num_samples, "sample")}, too few to cut a'
            " validation split from",
            cure='return more samples, or a split of its own for data("val")',
            file=file,
        )
    rows = draw_stratified(_labels(train, kind), train.num_samples, num, DATA_SEED)
    kept = torch.ones(train.num_samples, dtype=torch.bool)
    kept[rows] = False
    return (
        Split("train", "task", train.samples.subset(kept.nonzero().squeeze(1))),
        Split("val", "made", train.samples.subset(rows)),
    )


def _labels(split: Split, kind: str) -> Tensor | None:
    """A label a sample, int64 (N,); None where there are none to stratify by."""
    targets = split.samples.labels
    if targets is None or targets[0].numel() != 1:
        return None
    labels = targets.flatten()
    if kind == "classification":
        return labels
    if kind == "binary":
        return (labels > 0.5).long()
    return None
