"""TASK, ``--arg`` and ``--set``: checked against the task itself before anything is created."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from service.commands.console import fail

if TYPE_CHECKING:
    from recipes.description import TaskDescription
    from recipes.study import StudyConfig

DESCRIBE = (sys.executable, "-P", "-m", "recipes.cli", "describe")


def absolute_task(task: str) -> str:
    """TASK with a file's path made absolute, for a service that has another directory."""
    path, separator, name = task.rpartition(":") if not task.endswith(".py") else (task, "", "")
    if not path.endswith(".py"):
        return task
    return f"{os.path.abspath(os.path.expanduser(path))}{separator}{name}"


def describe_task(task: str, arguments: list[str]) -> TaskDescription:
    """What a worker's half of this installation measures of the task, in a process of its own.

    Ends the command with file, line, reason and cure when the task cannot be used.
    """
    from pydantic import ValidationError

    from recipes.description import TaskDescription, TaskProblem

    options = [part for argument in arguments for part in ("--arg", argument)]
    done = subprocess.run(
        [*DESCRIBE, task, *options, "--json"], stdout=subprocess.PIPE, check=False, text=True
    )
    if done.returncode == 2:
        raise typer.Exit(2)
    with contextlib.suppress(ValueError, KeyError, IndexError, ValidationError):
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if "description" in found:
            return TaskDescription.model_validate(found["description"])
        problem = TaskProblem.model_validate(found["problem"])
        where = f"{problem.file}:{problem.line or 1}: " if problem.file else ""
        if problem.traceback:
            typer.echo(problem.traceback.rstrip(), err=True)
        fail(f"{where}{problem.message}\nCure: {problem.cure}")
    fail(
        f"the task could not be described (exit code {done.returncode});"
        " is the worker half installed? pip install 'sevenstep[worker]'"
    )


def study_config(
    task: str,
    description: TaskDescription,
    *,
    arguments: list[str],
    settings: list[str],
    **fields: Any,
) -> StudyConfig:
    """The study that was asked for. Ends the command with code 2 where a value does not fit.

    Args:
        task: As the service will be given it.
        description: What was measured of it.
        arguments: ``key=value`` for the task's constructor.
        settings: ``name=value`` or ``name=low..high``.
        **fields: Further fields of the study.
    """
    from pydantic import ValidationError

    from recipes.errors import InvalidSetting
    from recipes.space import Categorical, Float, Int
    from recipes.study import StudyConfig
    from recipes.study_space import parse_setting, study_space

    fixed: dict[str, Any] = {}
    ranges: dict[str, Any] = {}
    try:
        for text in settings:
            parsed = parse_setting(text, description)
            is_range = isinstance(parsed, (Float, Int, Categorical))
            (ranges if is_range else fixed)[text.partition("=")[0].strip()] = parsed
        config = StudyConfig(
            task=task, task_args=_arguments(arguments), set=fixed, space=ranges, **fields
        )
        study_space(description, config)
    except InvalidSetting as error:
        fail(str(error), code=2)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        fail(f"{'.'.join(map(str, found['loc']))}: {found['msg']}", code=2)
    return config


def default_name(task: str) -> str:
    """A study's name when none was given: the class's, else the file's or the task's own."""
    path, separator, name = task.rpartition(":")
    return name if separator else Path(path or name).stem


def _arguments(pairs: list[str]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            fail(f"--arg: {pair!r} does not fit; give key=value", code=2)
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        arguments[key] = value if isinstance(value, (bool, int, float, str)) else text
    return arguments
