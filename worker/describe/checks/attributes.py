"""A task's attributes: kind, classes, space, objective."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import get_args

from recipes.space import Categorical, Float, Int, SearchSpace, default_space
from recipes.task import Kind, Task
from worker.describe.errors import TaskError, describe_exception, task_error

KINDS: tuple[str, ...] = get_args(Kind)
DIRECTIONS = ("maximize", "minimize")
OPTIONAL_METHODS = ("loss", "metrics", "augment")


def check_attributes(task: Task, *, file: str | None) -> None:
    """Whether the attributes fit together. Looks at nothing that has to run.

    Args:
        task: The task.
        file: Its file, named in the error.

    Raises:
        TaskError: An attribute is missing or does not fit; names it, its value and the cure.
    """
    try:
        _check_kind(task)
        _check_classes(task)
        _check_objective(task)
        _check_numbers(task)
        _check_autocast(task)
        for name in OPTIONAL_METHODS:
            if not callable(getattr(task, name, abs)):
                raise task_error(
                    f"`{name}` is {getattr(task, name)!r}, not a method",
                    cure=f"define it as a method, or leave `{name}` out for the kind's own",
                )
        if task.kind == "custom" and not hasattr(task, "loss"):
            raise task_error(
                "kind is 'custom' and there is no `loss`",
                cure="define loss(self, output, target), or give one of the other kinds: "
                + ", ".join(kind for kind in KINDS if kind != "custom"),
            )
        search_space(task)
    except TaskError as error:
        problem = error.problem.model_copy(update={"file": error.problem.file or file})
        raise TaskError(problem) from error.__cause__


def search_space(task: Task) -> SearchSpace:
    """The task's space; learning rate and weight decay when it has none.

    Raises:
        TaskError: It is not a mapping of names to ranges.
    """
    space: object = getattr(task, "space", None)
    if space is None:
        return default_space()
    if isinstance(space, SearchSpace):
        return space
    if not isinstance(space, Mapping):
        raise task_error(
            f"`space` is a {type(space).__name__}, not a mapping",
            cure='write space = {"lr": Float(1e-5, 1.0, log=True)}',
        )
    for name, value in space.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise task_error(
                f"`space` holds the name {name!r}",
                cure="use names that Python could use: letters, digits and underscores",
            )
        if not isinstance(value, (Float, Int, Categorical)):
            raise task_error(
                f"`space` gives {name} as {value!r}",
                cure="give Float(low, high), Int(low, high) or Categorical([...]);"
                f" to fix it at one value, leave it out and use --set {name}=...",
            )
    try:
        return SearchSpace(dict(space))
    except ValueError as error:
        raise task_error(
            f"`space` does not fit: {describe_exception(error)}",
            cure="give Float(low, high), Int(low, high) or Categorical([...]) for every name",
        ) from error


def _check_kind(task: Task) -> None:
    if task.kind not in KINDS:
        close = difflib.get_close_matches(str(task.kind), KINDS, n=1)
        raise task_error(
            f"`kind` is {task.kind!r}",
            cure=f"did you mean {close[0]!r}?" if close else f"give one of {', '.join(KINDS)}",
        )


def _check_classes(task: Task) -> None:
    number: object = task.num_classes
    if number is None:
        if task.kind == "classification":
            raise task_error(
                "a classification task needs `num_classes`",
                cure="write num_classes = 10, the number of classes it tells apart",
            )
        return
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise task_error(f"`num_classes` is {number!r}", cure="give a whole number, 2 or more")
    if task.kind == "classification" and number < 2:
        raise task_error(
            f"`num_classes` is {number}",
            cure='give 2 or more; for one yes-or-no output write kind = "binary"',
        )


def _check_objective(task: Task) -> None:
    objective: object = getattr(task, "objective", None)
    if objective is None:
        return
    fits = (
        isinstance(objective, (tuple, list))
        and len(objective) == 2
        and isinstance(objective[0], str)
        and objective[0] != ""
        and objective[1] in DIRECTIONS
    )
    if not fits:
        raise task_error(
            f"`objective` is {objective!r}",
            cure='give a metric and its direction: objective = ("accuracy", "maximize")'
            ' or ("loss", "minimize")',
        )


def _check_numbers(task: Task) -> None:
    expected: object = task.expected_initial_loss
    if expected is not None and (
        isinstance(expected, bool)
        or not isinstance(expected, (int, float))
        or not math.isfinite(expected)
    ):
        raise task_error(
            f"`expected_initial_loss` is {expected!r}",
            cure="give the loss an untrained model should have, a finite number",
        )
    ignored: object = task.ignore_index
    if ignored is not None and (isinstance(ignored, bool) or not isinstance(ignored, int)):
        raise task_error(
            f"`ignore_index` is {ignored!r}", cure="give the target value to leave out, an integer"
        )


def _check_autocast(task: Task) -> None:
    asked: object = task.autocast
    if asked not in (None, "bfloat16"):
        raise task_error(
            f"`autocast` is {asked!r}",
            cure='write autocast = "bfloat16", or leave it out for the model\'s own precision',
        )
