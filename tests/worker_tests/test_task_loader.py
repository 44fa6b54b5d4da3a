"""Every way a task cannot be loaded says where, what and the cure."""

from pathlib import Path

import pytest
import torch

from recipes import SearchSpace, Task
from recipes.run import TaskRef
from recipes.space import default_space
from worker.data.data import load_data
from worker.describe.checks.attributes import search_space
from worker.describe.describe import describe
from worker.describe.loader import TaskError, load_task, task_digest
from worker.describe.task_file import source_files

GOOD = """
import torch
from recipes import Float, Int, Categorical, Task

class Good(Task):
    num_classes = 2
    def data(self, split):
        return torch.zeros(8, 3), torch.zeros(8, dtype=torch.int64)
    def model(self, params):
        return torch.nn.Linear(3, 2)
"""


def write(folder: Path, text: str, name: str = "my_task.py") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def problem_of(path: object, **args: object):
    with pytest.raises(TaskError) as caught:
        load_task(TaskRef(path=str(path), args=args))
    problem = caught.value.problem
    assert problem.message
    assert problem.cure
    return problem


def test_a_built_in_task_loads_by_name() -> None:
    assert type(load_task(TaskRef(path="digits"))).__name__ == "DigitsMLP"
    assert type(load_task(TaskRef(path="digits-conv"))).__name__ == "DigitsConv"


@pytest.mark.parametrize("name", ["image_folder", "image_folder-mlp", "tabular"])
def test_a_built_in_task_says_which_arguments_it_needs(name: str) -> None:
    problem = problem_of(name)
    assert "--arg path=..." in problem.cure
    assert "path: " in problem.cure  # what it is, by the task's own words
    assert problem.file is None  # nothing in our file would mend it


def test_a_task_loads_by_file_with_and_without_its_class(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)

    assert type(load_task(TaskRef(path=f"{file}:Good"))).__name__ == "Good"
    assert type(load_task(TaskRef(path=str(file)))).__name__ == "Good"


def test_a_task_loads_from_a_folder_with_spaces_and_colons(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD, "my folder: new/a task.py")

    assert load_task(TaskRef(path=f"{file}:Good")).num_classes == 2
    assert load_task(TaskRef(path=str(file))).num_classes == 2


def test_a_task_loads_by_module() -> None:
    assert load_task(TaskRef(path="worker.tasks.digits:DigitsConv")).num_classes == 10


def test_a_class_that_derives_from_nothing_gets_the_defaults(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD.replace("(Task)", ""))
    task = load_task(TaskRef(path=str(file)))

    assert isinstance(task, Task)
    assert type(task).__name__ == "Good"
    assert task.kind == "classification"
    assert task.ignore_index is None
    assert search_space(task) == default_space()


def test_arguments_reach_the_constructor(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        GOOD + "    def __init__(self, width: int, depth: int = 2): self.width = width\n",
    )
    task = load_task(TaskRef(path=str(file), args={"width": 3}))

    assert task.width == 3  # type: ignore[attr-defined]


def test_a_task_may_import_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path, "WIDTH = 3\n", "neighbour_of_my_task.py")
    file = write(tmp_path, "from neighbour_of_my_task import WIDTH" + GOOD)

    assert load_task(TaskRef(path=str(file))).num_classes == 2


def test_an_edited_file_is_loaded_anew(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    before = load_task(TaskRef(path=str(file)))
    write(tmp_path, GOOD.replace("num_classes = 2", "num_classes = 3"))
    after = load_task(TaskRef(path=str(file)))

    assert (before.num_classes, after.num_classes) == (2, 3)


def test_the_digest_covers_the_file_and_its_neighbours_alone(tmp_path: Path) -> None:
    helper = write(tmp_path, "from helpers import deep\n", "helper_of_digest.py")
    deep = write(tmp_path, "DEEP = 1\n", "helpers/deep.py")
    package = write(tmp_path, "", "helpers/__init__.py")
    write(tmp_path, "X = 1\n", "stranger.py")
    file = write(tmp_path, "import helper_of_digest" + GOOD)
    task = load_task(TaskRef(path=str(file)))
    before = task_digest(task)

    assert set(source_files(file)) == {file, helper, deep, package}
    write(tmp_path, "X = 2\n", "stranger.py")
    assert task_digest(task) == before
    deep.write_text("DEEP = 2\n")
    assert task_digest(task) != before


@pytest.mark.parametrize(("name", "cure"), [("digit", "'digits'"), ("nothing-like-it", "digits-")])
def test_an_unknown_name_gets_a_suggestion(name: str, cure: str) -> None:
    problem = problem_of(name)

    assert repr(name) in problem.message
    assert cure in problem.cure


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    assert "does not exist" in problem_of(tmp_path / "none.py").message
    assert "not a file" in problem_of(tmp_path).message


def test_a_missing_module() -> None:
    assert "no module 'no_such_package'" in problem_of("no_such_package.tasks:Mine").message
    assert "worker.tasks.nothing" in problem_of("worker.tasks.nothing:Mine").message


@pytest.mark.parametrize(
    ("text", "line", "words", "cure"),
    [
        ("x = 1\nclass A(\n", 2, "SyntaxError", "correct the line"),
        ("x = 1\nimport no_such_thing\n", 2, "no_such_thing", "install no_such_thing"),
        ("from torch import no_such_name\n", 1, "no_such_name", "name exists"),
        ("x = 1\n\nraise RuntimeError('boom')\n", 3, "RuntimeError: boom", "correct the line"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit", "__main__"),
        (
            "from recipes import Float\nspace = {\n  'lr': Float(1.0, 0.1),\n}\n",
            3,
            "low (1) must be below high (0.1)",
            "correct the line",
        ),
        ("from recipes import Float\nFloat(0, 1, log=True)\n", 2, "log range", "correct"),
        ("from recipes import Float\nFloat(float('nan'), 1)\n", 2, "finite number", "correct"),
        ("def f():\n  return 1 / 0\nx = f()\n", 2, "ZeroDivisionError", "correct the line"),
    ],
)
def test_a_file_that_does_not_import(
    tmp_path: Path, text: str, line: int, words: str, cure: str
) -> None:
    file = write(tmp_path, text)
    problem = problem_of(f"{file}:A")

    assert words in problem.message
    assert cure in problem.cure
    assert (problem.file, problem.line) == (str(file), line)


def test_a_traceback_begins_in_the_users_file(tmp_path: Path) -> None:
    file = write(tmp_path, "def f():\n  raise KeyError('k')\nf()\n")
    traceback = problem_of(file).traceback

    assert traceback is not None
    assert traceback.count("File ") == 2
    assert "worker/task_file.py" not in traceback


@pytest.mark.parametrize("name", ["worker.py", "recipes/__init__.py", "service/anything.py"])
def test_a_neighbour_with_a_name_of_ours_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, "x = 1\n", name)
    problem = problem_of(write(tmp_path, GOOD))

    assert "Sevenstep's own" in problem.message
    assert "rename" in problem.cure


def test_a_missing_class_is_suggested(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)

    assert "'Good'" in problem_of(f"{file}:Goood").cure
    assert "Good" in problem_of(f"{file}:Elephant").cure


@pytest.mark.parametrize(
    ("text", "path", "message", "cure"),
    [
        ("x = 1\n", "", "no class with `data` and `model`", "write one"),
        ("class A:\n  def data(self, s): ...\n", "", "no `model`", "model(self, params)"),
        ("class A:\n  x = 1\n", ":A", "no `data` and no `model`", "define"),
        ("from recipes import Task\nclass A(Task): ...\n", "", "no `data`", "define"),
        ("A = 3\n", ":A", "A is a int, not a class", "name the class"),
        (
            "class A:\n  def data(self, s): ...\n  def model(self, p): ...\nclass B(A): ...\n",
            "",
            "several tasks: A, B",
            "say which one",
        ),
    ],
)
def test_a_class_that_is_no_task(
    tmp_path: Path, text: str, path: str, message: str, cure: str
) -> None:
    file = write(tmp_path, text)
    problem = problem_of(f"{file}{path}")

    assert message in problem.message
    assert cure in problem.cure
    assert problem.file == str(file)


def test_arguments_that_do_not_fit(tmp_path: Path) -> None:
    init = "    def __init__(self, width): self.x = 1 // width\n"
    file = write(tmp_path, GOOD + init)

    assert "needs width" in problem_of(file).message
    unknown = problem_of(file, widht=3)
    assert "no argument 'widht'" in unknown.message
    assert "'width'" in unknown.cure
    raised = problem_of(file, width=0)
    assert "ZeroDivisionError" in raised.message
    assert raised.line == 11


@pytest.mark.parametrize(
    ("attribute", "message", "cure"),
    [
        ("kind = 'classificaton'", "`kind`", "'classification'"),
        ("kind = 3", "`kind`", "regression"),
        ("num_classes = None", "needs `num_classes`", "num_classes = 10"),
        ("num_classes = 1", "`num_classes` is 1", "binary"),
        ("num_classes = 2.5", "`num_classes` is 2.5", "whole number"),
        ("space = [1]", "`space` is a list", "space = {"),
        ("space = {'lr': 0.1}", "`space` gives lr as 0.1", "--set lr="),
        ("space = {'a b': Float(1, 2)}", "'a b'", "letters"),
        ("space = {3: Float(1, 2)}", "3", "letters"),
        ("objective = 'accuracy'", "`objective`", "maximize"),
        ("objective = ('accuracy', 'up')", "`objective`", "maximize"),
        ("expected_initial_loss = float('nan')", "`expected_initial_loss`", "finite"),
        ("autocast = 'float16'", "`autocast` is 'float16'", 'autocast = "bfloat16"'),
        ("ignore_index = 'pad'", "`ignore_index`", "integer"),
        ("loss = 3", "`loss` is 3", "method"),
        ("kind = 'custom'", "no `loss`", "loss(self, output, target)"),
    ],
)
def test_attributes_that_do_not_fit(
    tmp_path: Path, attribute: str, message: str, cure: str
) -> None:
    file = write(tmp_path, GOOD + f"    {attribute}\n")
    problem = problem_of(file)

    assert message in problem.message
    assert cure in problem.cure
    assert problem.file == str(file)


def test_a_space_may_be_an_object_and_may_be_made_by_the_constructor(tmp_path: Path) -> None:
    init = (
        "    def __init__(self, top: float = 1.0):\n"
        "        from recipes import SearchSpace\n"
        "        self.space = SearchSpace({'lr': Float(1e-3, top, log=True)})\n"
    )
    task = load_task(TaskRef(path=str(write(tmp_path, GOOD + init)), args={"top": 0.5}))

    assert isinstance(search_space(task), SearchSpace)
    assert search_space(task).center()["lr"] == pytest.approx((1e-3 * 0.5) ** 0.5)


def test_the_example_task_loads_and_can_be_described() -> None:
    file = Path(__file__).parents[2] / "examples" / "spirals.py"
    task = load_task(TaskRef(path=str(file), args={"noise": 0.5}))
    data = load_data(task, torch.device("cpu"))
    found = describe(task, data, device=torch.device("cpu"))

    assert found.loss_error is None
    assert [(split.name, split.origin) for split in found.splits] == [
        ("train", "task"),
        ("val", "made"),
        ("test", "task"),
    ]
    assert found.inputs.sd == pytest.approx(1, abs=0.05)
    assert abs(found.inputs.mean) < 0.1
