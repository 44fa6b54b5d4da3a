"""Tables: what the columns become, that they are learned, and errors with file, line and cure."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from recipes.description import TaskProblem
from recipes.run import MemberSpec, RunSpec, TaskRef
from recipes.task import Task
from worker.data.columns import is_constant
from worker.data.csv_file import read_table
from worker.data.data import TaskData, load_data
from worker.describe.describe import describe
from worker.describe.loader import TaskError, load_task
from worker.training.collecting import CollectingReporter
from worker.training.loop import train

CPU = torch.device("cpu")


def write(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], *, delimiter: str = ","
) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([header, *rows])
    return path


def export(path: Path, bunch: object) -> Path:
    names = [str(name) for name in bunch.feature_names]
    rows = [[*row, target] for row, target in zip(bunch.data, bunch.target, strict=True)]
    return write(path, [*names, "target"], rows)


def load(path: Path | str, target: object = "target", **args: object) -> Task:
    args = {"path": str(path), "target": target, **args}
    return load_task(TaskRef(path="tabular", args=args))


def problem_of(path: Path | str, target: object = "y", **args: object) -> TaskProblem:
    with pytest.raises(TaskError) as caught:
        load_data(load(path, target, **args), CPU)
    problem = caught.value.problem
    assert problem.cure
    assert problem.traceback is None
    return problem


def text_problem(folder: Path, text: str, target: object = "y", **args: object) -> TaskProblem:
    (folder / "t.csv").write_text(text)
    return problem_of(folder / "t.csv", target, **args)


def look(data: TaskData, split: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
    return data[split].samples.look()


def rows_of(task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    """The task's own training rows, before a validation split is cut from them."""
    found = task.data("train")
    assert isinstance(found, tuple)
    return found


@pytest.mark.parametrize(
    ("bunch", "kind", "metric", "least"),
    [
        # R² of linear regression on these ten columns is about 0.5 (cross-validated 0.48).
        (load_diabetes(), "regression", "r2", 0.3),
        (load_breast_cancer(), "binary", "accuracy", 0.93),
        (load_wine(), "classification", "accuracy", 0.9),
    ],
)
def test_real_tables_are_learned(
    bunch: object, kind: str, metric: str, least: float, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    task = load(export(tmp_path / "table.csv", bunch))
    data = load_data(task, CPU)
    description = describe(task, data, device=CPU)
    member = MemberSpec(
        trial=0,
        params={"lr": 0.03, "hidden": 32, "depth": 1, "weight_decay": 1e-2},
        seed=0,
        data_seed=0,
    )
    report = CollectingReporter()
    run = RunSpec(
        members=(member,), epochs=20, keep_snapshot=True, evaluate_at_best=("val", "test")
    )
    train(task, data, run, report)

    assert (task.kind, description.metric) == (kind, metric)
    assert abs(description.inputs.mean) < 0.1
    assert description.inputs.sd == pytest.approx(1, abs=0.1)
    for evaluation in report.outcomes[0].at_best:
        moments = evaluation.metrics[metric]
        assert moments.total / moments.n > least, evaluation.split


def test_regression_targets_have_variance_one_so_that_an_output_of_zero_costs_one(
    tmp_path: Path,
) -> None:
    task = load(export(tmp_path / "table.csv", load_diabetes()))
    _, targets = rows_of(task)

    assert targets.shape == (442 - 66, 1)
    assert targets.square().mean().item() == pytest.approx(1, abs=1e-5)
    assert targets.mean().item() == pytest.approx(0, abs=1e-5)


def test_splits_are_the_same_each_time_and_hold_every_row_once(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ["a", "y"], [[i, i % 2] for i in range(200)])
    splits = [load_data(load(path, "y"), CPU) for _ in range(2)]
    rows = torch.cat([look(splits[0], name)[0] for name in ("train", "val", "test")])

    assert [splits[0][name].num_samples for name in ("train", "val", "test")] == [136, 34, 30]
    assert len(rows.unique(dim=0)) == 200
    assert look(splits[0], "test")[1].mean() == 0.5
    for name in ("train", "val", "test"):
        assert torch.equal(look(splits[0], name)[0], look(splits[1], name)[0])


def test_training_rows_alone_decide_the_scale(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["a", "y"], [[i % 10, i % 2] for i in range(100)])
    other = write(
        tmp_path / "b.csv", ["y", "more", "a"], [[1, "x", 4.5], [0, "x", 4.5 + 8.25**0.5]]
    )
    task = load(path, "y", val_path=str(other), test_path=str(other))
    inputs, targets = look(load_data(task, CPU), "test")

    torch.testing.assert_close(inputs, torch.tensor([[0.0], [1.0]]), atol=1e-6, rtol=0)
    assert targets.tolist() == [[1.0], [0.0]]
    assert rows_of(task)[0].std(correction=0).item() == pytest.approx(1)
    assert load_data(task, CPU)["val"].origin == "task"


def test_without_a_share_there_is_no_test_split(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ["a", "y"], [[i, i % 2] for i in range(50)])

    assert "test" not in load_data(load(path, "y", test_share=0), CPU)


def test_missing_numbers_become_the_mean_and_say_so(tmp_path: Path) -> None:
    cells = ["1", "3", "", "NA", " nan ", "?", "None", "null"]
    path = write(tmp_path / "t.csv", ["a", "y"], [[cell, i % 2] for i, cell in enumerate(cells)])
    inputs, _ = rows_of(load(path, "y", test_share=0))

    assert inputs[:, 0].tolist() == [-1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert inputs[:, 1].tolist() == [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_categories_have_an_input_each_and_a_missing_one_is_one_of_them(tmp_path: Path) -> None:
    cells = ["red", "green", "", "red"]
    path = write(tmp_path / "a.csv", ["a", "y"], [[c, i % 2] for i, c in enumerate(cells)])
    other = write(tmp_path / "b.csv", ["a", "y"], [["green", 0], ["purple", 1]])
    task = load(path, "y", test_path=str(other))

    assert rows_of(task)[0].tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert task.data("test")[0].tolist() == [[0, 1, 0], [0, 0, 0]]


def test_rare_categories_share_an_input(tmp_path: Path) -> None:
    cells = [f"c{i % 30:02}" for i in range(300)] + [f"rare{i}" for i in range(40)]
    path = write(tmp_path / "a.csv", ["a", "y"], [[c, i % 2] for i, c in enumerate(cells)])
    inputs, _ = rows_of(load(path, "y", test_share=0))

    assert inputs.shape == (340, 33)
    assert inputs[:, -1].sum() == 38
    assert (inputs.sum(1) == 1).all()


def test_a_column_of_one_number_becomes_zeros(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ["a", "b", "y"], [[5, i, i % 2] for i in range(20)])
    inputs, _ = rows_of(load(path, "y"))

    assert inputs[:, 0].abs().max() == 0


def test_what_only_rounding_tells_apart_is_one_number(tmp_path: Path) -> None:
    tenths = np.full(3, 0.1)
    assert tenths.std() > 0  # 1e-17: three of them do not add up to three times 0.1
    assert is_constant(tenths)
    assert is_constant(np.zeros(3))
    assert not is_constant(np.array([1.0, 1.0 + 1e-9]))

    path = write(tmp_path / "t.csv", ["a", "b", "y"], [[0.1, i, i % 2] for i in range(23)])
    assert rows_of(load(path, "y"))[0][:, 0].abs().max() < 1e-12
    problem = text_problem(tmp_path, "a,y\n1,0.1\n2,0.1\n3,0.1\n", kind="regression", test_share=0)
    assert "one value alone, '0.1'" in problem.message


@pytest.mark.parametrize(
    ("values", "kind", "num_classes"),
    [
        (["no", "yes"], "binary", 2),
        ([1, 2], "binary", 2),
        ([0.5, 2.5], "binary", 2),
        (["a", "b", "c"], "classification", 3),
        (range(10), "classification", 10),
        ([f"{i}.0" for i in range(10)], "classification", 10),
        (range(21), "regression", None),
        ([0.1, 0.2, 0.3], "regression", None),
    ],
)
def test_the_column_says_what_kind_of_task_it_is(
    values: Sequence[object], kind: str, num_classes: int | None, tmp_path: Path
) -> None:
    rows = [[i, values[i % len(values)]] for i in range(200)]
    task = load(write(tmp_path / "t.csv", ["a", "y"], rows), "y")

    assert (task.kind, task.num_classes) == (kind, num_classes)


def test_a_kind_that_is_given_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ["a", "y"], [[i, i % 5] for i in range(50)])
    task = load(path, "y", kind="regression")

    assert task.kind == "regression"
    assert task.model({"hidden": 4, "depth": 2})(torch.zeros(3, 1)).shape == (3, 1)


def test_classes_are_numbered_in_the_order_of_their_values(tmp_path: Path) -> None:
    values = ["10", "9", "2.0", "2"]
    path = write(tmp_path / "t.csv", ["a", "y"], [[i, values[i % 4]] for i in range(40)])
    _, targets = rows_of(load(path, "y", test_share=0))

    assert targets[:4].tolist() == [2, 1, 0, 0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_cells_are_separated_as_the_first_line_says(delimiter: str, tmp_path: Path) -> None:
    rows = [["1.5", "a, b; c|d\te"], ["2", 'say "5"']]
    path = write(tmp_path / "t.csv", ["a b", "y"], rows, delimiter=delimiter)
    table = read_table(path)

    assert table.columns == {"a b": ("1.5", "2"), "y": ("a, b; c|d\te", 'say "5"')}
    assert table.lines == (2, 3)


def test_byte_order_mark_empty_lines_and_line_ends_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(
        '\ufeffa,y\r\n\r\n1 , x\r\n"2","two\r\nlines"\r\n'.encode() + b"\r\n\r\n"
    )
    table = read_table(tmp_path / "t.csv")

    assert table.columns == {"a": ("1", "2"), "y": ("x", "two\r\nlines")}
    assert table.lines == (3, 5)


GOOD = "a,b,y\n1,2,0\n2,3,1\n3,4,0\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", None, "the file is empty"),
        ("\n\n", None, "the file is empty"),
        ("a,b,y\n", 1, "no rows"),
        ("1,2,3\n4,5,6\n", 1, "the first line holds numbers"),
        ("a,a,y\n1,2,3\n", 1, "two columns are called 'a'"),
        (",a,y\n0,1,2\n", 1, "column 1 has no name"),
        (",".join(["c"] * 10_001) + ",y\n", 1, "10002 cells"),
        ("y" * 140_000 + "\n1\n", 1, "not CSV"),
        (GOOD + "4,5\n", 5, "the line has 2 cells, the first one 3"),
        (GOOD + "4,5,1,2\n", 5, "the line has 4 cells"),
        (GOOD + '4,"5,1\n', 5, "not CSV"),
        (GOOD + "4,5,\n", 5, "the target column 'y' has no value"),
        (GOOD + "4,5,nan\n", 5, "the target column 'y' has no value here ('nan')"),
        (GOOD + "inf,5,1\n", 5, "column 'a' holds 'inf', which is not finite"),
        (GOOD + "-1e999,5,1\n", 5, "column 'a' holds '-1e999', which is not finite"),
        ("y\n0\n1\n1\n0\n", 1, "no column is left"),
        ("a,y\n1,0\n2,0\n3,0\n", 1, "column 'y' holds one value alone, '0'"),
        ("a,y\n,0\n,1\n,0\n,1\n", 1, "column 'a' has no value in any training row"),
        ("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(30)) + "1O,1\n", 32, "holds '1O'"),
        ("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(30)) + "1_0,1\n", 32, "holds '1_0'"),
        (
            "a,y\n" + "".join(f"Mr {i},{i % 2}\n" for i in range(100)),
            1,
            "column 'a' has 100 different texts in 100 rows",
        ),
        ("a,y\n1,k\n2,l\n3,m\n4,n\n", 1, "column 'y' has 4 classes in 4 rows"),
    ],
)
def test_a_file_that_does_not_fit_is_pointed_at(
    text: str, line: int | None, words: str, tmp_path: Path
) -> None:
    problem = text_problem(tmp_path, text, test_share=0)

    assert words in problem.message
    assert problem.file == str(tmp_path / "t.csv")
    assert problem.line == line


def test_a_file_that_is_not_utf8_is_pointed_at(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a,y\n1,0\nné,1\n".encode("latin-1"))
    problem = problem_of(tmp_path / "t.csv")

    assert "not UTF-8: byte 0xe9" in problem.message
    assert problem.line == 3
    assert "iconv" in problem.cure


@pytest.mark.parametrize(
    ("args", "words", "cure"),
    [
        ({"target": "z"}, "target: there is no column 'z'", "a, b, y"),
        ({"target": "Y"}, "target: there is no column 'Y'", "a, b, y"),
        ({"target": "bb"}, "target: there is no column 'bb'", "did you mean 'b'?"),
        ({"drop": "a,nothing"}, "drop: there is no column 'nothing'", "there are"),
        ({"drop": "a, b"}, "no column is left", "add columns"),
        ({"kind": "multilabel"}, "kind is 'multilabel'", "binary, regression"),
        ({"test_share": 0.9}, "test_share is 0.9", "0.5"),
        ({"test_share": "0.2"}, "test_share is '0.2'", "0.5"),
        ({"test_path": "/no/such.csv"}, "test_path: there is no /no/such.csv", "worker"),
        ({"val_path": "b.csv"}, "val_path is 'b.csv', a relative path", "val_path=/"),
    ],
)
def test_an_argument_that_does_not_fit_is_named(
    args: dict[str, object], words: str, cure: str, tmp_path: Path
) -> None:
    problem = text_problem(tmp_path, GOOD + GOOD[6:], **{"target": "y", **args})

    assert words in problem.message
    assert cure in problem.cure


def test_a_binary_target_of_three_values_is_refused(tmp_path: Path) -> None:
    text = "a,y\n" + "".join(f"{i},{i % 3}\n" for i in range(30))

    assert "has 3 different values" in text_problem(tmp_path, text, kind="binary").message


def test_a_regression_target_of_texts_or_one_value_is_refused(tmp_path: Path) -> None:
    texts = text_problem(tmp_path, "a,y\n1,low\n2,high\n3,low\n", kind="regression")
    constant = text_problem(tmp_path, "a,y\n1,7\n2,7\n3,7\n", kind="regression")

    assert (texts.line, "holds 'low' among numbers" in texts.message) == (2, True)
    assert "one value alone, '7'" in constant.message


def test_another_file_must_have_the_columns_and_no_new_class(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["a", "b", "y"], [[i, i, "uv"[i % 2]] for i in range(20)])
    lacking = write(tmp_path / "b.csv", ["a", "y"], [[1, "u"]])
    classes = write(tmp_path / "c.csv", ["a", "b", "y"], [[1, 1, "u"], [1, 1, "w"]])
    first = problem_of(path, test_path=str(lacking))
    second = problem_of(path, test_path=str(classes))

    assert "test_path: there is no column 'b'" in first.message
    assert first.file == str(lacking)
    assert "holds 'w', a class that the training file does not have" in second.message
    assert (second.file, second.line) == (str(classes), 3)
    assert load_data(load(path, "y", test_path=str(lacking), drop="b"), CPU)["test"].num_samples


@pytest.mark.parametrize("path", ["", ".", "/", "table.csv", "/no/such/table.csv"])
def test_a_path_that_is_no_file_is_refused(path: str) -> None:
    assert "path" in problem_of(path).message


def test_a_hundred_thousand_rows_take_seconds(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=(100_000, 4)).round(4).astype(str)
    lines = [",".join(row) for row in numbers]
    (tmp_path / "t.csv").write_text("a,b,c,y\n" + "\n".join(lines) + "\n")
    data = load_data(load(tmp_path / "t.csv", "y"), CPU)

    assert data["train"].num_samples == 75_000
    assert data["val"].num_samples == 10_000
