"""TASK, ``--arg`` and ``--set``: checked against the task itself before anything is created."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from service.commands.console import fail, misfit
from service.commands.options import SearchOptions

if TYPE_CHECKING:
    from pydantic import ValidationError

    from recipes.description import TaskDescription
    from recipes.study import StudyConfig
    from recipes.timing import Timing
    from service.commands.options import TaskOptions

STEPS = re.compile(r"(?P<first>\d)(?:-(?P<last>\d))?")
OPTIONS = {"name": "--name", "steps": "--steps", "max_rounds": "--max-rounds", "seed": "--seed"}
"""A study's fields as the command line calls them."""
DESCRIBE = (sys.executable, "-P", "-m", "recipes.cli", "describe")


def absolute_task(task: str) -> str:
    """TASK with a file's path made absolute, for a service that has another directory."""
    path, separator, name = task.rpartition(":") if not task.endswith(".py") else (task, "", "")
    if not path.endswith(".py"):
        return task
    return f"{os.path.abspath(os.path.expanduser(path))}{separator}{name}"


def describe_task(
    options: TaskOptions, *, time: bool = False
) -> tuple[TaskDescription, Timing | None]:
    """What a worker's half of this installation measures of the task, in a process of its own.

    Ends the command with file, line, reason and cure when the task cannot be used.

    Args:
        options: The task and its arguments.
        time: Whether to train for a few seconds too, to know what an epoch takes.
    """
    from pydantic import ValidationError

    from recipes.description import TaskDescription, TaskProblem
    from recipes.timing import Timing

    words = [part for argument in options.arg or [] for part in ("--arg", argument)]
    if time:
        words.append("--time")
        words += [part for setting in options.set_ or [] for part in ("--set", setting)]
    done = subprocess.run(
        [*DESCRIBE, absolute_task(options.task), *words, "--json"],
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    if done.returncode == 2:
        raise typer.Exit(2)
    with contextlib.suppress(ValueError, KeyError, IndexError, ValidationError):
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if "description" in found:
            timing = found.get("timing")
            return (
                TaskDescription.model_validate(found["description"]),
                None if timing is None else Timing.model_validate(timing),
            )
        problem = TaskProblem.model_validate(found["problem"])
        if problem.traceback:
            typer.echo(problem.traceback.rstrip(), err=True)
        fail(f"{problem.where}{problem.message}\nCure: {problem.cure}")
    fail(
        f"the task could not be described (exit code {done.returncode});"
        " is the worker half installed? In Sevenstep's checkout:"
        " pip install -c constraints.txt '.[worker]'"
    )


def leaves_all_to_the_task(options: TaskOptions) -> bool:
    """Whether no value was given that only the task's description can check."""
    incumbent = options.incumbent if isinstance(options, SearchOptions) else None
    return not options.set_ and incumbent is None


def study_config(
    options: TaskOptions,
    description: TaskDescription | None,
    *,
    steps: tuple[int, ...] | None = None,
) -> StudyConfig:
    """The study that was asked for. Ends the command with code 2 where a value does not fit.

    Args:
        options: The command's; with SearchOptions' fields where it has those.
        description: What was measured of the task; None where they leave all to it.
        steps: The steps of a command that has no ``--steps``; None: as the options say.
    """
    from pydantic import ValidationError

    from recipes.errors import InvalidSetting
    from recipes.setting_text import parse_incumbent, parse_settings
    from recipes.study import StudyConfig
    from recipes.study_space import study_space
    from service.views.budget_text import parse_budget

    search = options if isinstance(options, SearchOptions) else SearchOptions()
    task = absolute_task(options.task)
    try:
        given: dict[str, Any] = {
            "name": options.name if options.name is not None else default_name(task),
            "task": task,
            "task_args": _arguments(options.arg or []),
            "seed": options.seed,
            "max_rounds": search.max_rounds,
            "autopilot": not search.no_autopilot,
        }
        if description is not None:
            given["set"], given["space"] = parse_settings(options.set_ or [], description)
        if description is not None and search.incumbent is not None:
            given["incumbent"] = parse_incumbent(search.incumbent, description)
        if search.budget is not None:
            given["budget"] = parse_budget(search.budget)
        if steps is not None or search.steps is not None:
            given["steps"] = steps or parse_steps(search.steps or "")
        config = StudyConfig.model_validate(given)
        if description is not None:
            study_space(description, config)
    except InvalidSetting as error:
        fail(str(error), code=2)
    except ValidationError as error:
        fail(_first_misfit(error), code=2)
    return config


def parse_steps(text: str) -> tuple[int, ...]:
    """Step numbers from ``1-3``, ``1,2,5`` or ``1-3,7``. Raises InvalidSetting."""
    from recipes.errors import InvalidSetting

    numbers: list[int] = []
    for part in text.split(","):
        found = STEPS.fullmatch(part.strip())
        if found is None:
            raise InvalidSetting("--steps", text, "write 1-3, 1,2,5 or 1-3,7")
        first = int(found["first"])
        last = int(found["last"] or first)
        if last < first:
            raise InvalidSetting("--steps", text, f"write the lower step first: {last}-{first}")
        numbers += range(first, last + 1)
    return tuple(numbers)


def check_options(options: TaskOptions) -> None:
    """End the command with code 2 for what is wrong whatever the task is, before it is loaded."""
    from recipes.errors import InvalidSetting
    from service.views.budget_text import parse_budget

    _arguments(options.arg or [])
    if options.name is not None and not options.name.strip():
        fail(misfit("--name", options.name, "give a name that can be seen"), code=2)
    try:
        if isinstance(options, SearchOptions):
            if options.budget is not None:
                parse_budget(options.budget)
            if options.steps is not None:
                parse_steps(options.steps)
    except InvalidSetting as error:
        fail(str(error), code=2)


def _first_misfit(error: ValidationError) -> str:
    """The first misfit in one line: the option, the value and what would fit."""
    found = error.errors(include_url=False)[0]
    name = str(found["loc"][0])
    field = OPTIONS.get(name, ".".join(map(str, found["loc"])))
    value = found["input"]
    if name == "steps":
        value = ",".join(map(str, value)) if isinstance(value, tuple) else value
    return misfit(field, value, found["msg"])


def default_name(task: str) -> str:
    """A study's name when none was given: the class's, else the file's or the task's own."""
    path, separator, name = task.rpartition(":")
    return name if separator else Path(path or name).stem


def _arguments(pairs: list[str]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            fail(misfit("--arg", pair, "give key=value"), code=2)
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        arguments[key] = value if isinstance(value, (bool, int, float, str)) else text
    return arguments
