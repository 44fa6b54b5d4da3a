"""From a task's name to a task object, with an explanation for every way it can fail."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

from recipes.run import TaskRef
from recipes.task import Task
from worker.describe.checks.attributes import check_attributes
from worker.describe.errors import TaskError, task_error
from worker.describe.task_class import choose, class_file, construct, with_defaults
from worker.describe.task_file import import_problem, load_file, source_digest
from worker.tasks import BUILT_IN

__all__ = ["TaskError", "load_task", "task_digest", "task_file"]

WAYS = "`path/to/file.py:ClassName` or `package.module:ClassName`"


def load_task(ref: TaskRef) -> Task:
    """The task a reference names, made with its arguments.

    Args:
        ref: ``path`` is a built-in name, ``file.py:Class`` or ``module:Class`` (the class
            may be left out where there is one); ``args`` go to the constructor by name.

    Returns:
        The object. A class that does not derive from ``recipes.Task`` gets the attributes
        it lacks from there.

    Raises:
        TaskError: It cannot be loaded; says where, why and the cure.
    """
    place, class_name = _split(BUILT_IN.get(ref.path, ref.path))
    if _is_file(place) or _is_other_file(place):
        module = load_file(Path(place))
    elif (class_name is None and "." not in place) or not _is_module_name(place):
        close = difflib.get_close_matches(ref.path, BUILT_IN, n=1)
        raise task_error(
            f"there is no task {ref.path!r}",
            cure=f"did you mean {close[0]!r}?"
            if close
            else f"built in are {', '.join(BUILT_IN)}; others are named as {WAYS}",
        )
    else:
        module = _import_module(place)
    task = construct(with_defaults(choose(module, class_name)), ref.args)
    check_attributes(task, file=task_file(task))
    return task


def task_file(task: Task) -> str | None:
    """The file that defines the task's class; None for a class made in a session."""
    return class_file(type(task))


def task_digest(task: Task) -> str:
    """SHA-256, in hex, of the task's code: its file, the neighbours it imports, its class."""
    digest = hashlib.sha256(type(task).__qualname__.encode())
    file = task_file(task)
    if file is not None:
        digest.update(source_digest(Path(file)).encode())
    return digest.hexdigest()


def _split(path: str) -> tuple[str, str | None]:
    place, colon, class_name = path.rpartition(":")
    if colon and "/" not in class_name and "\\" not in class_name:
        return place, class_name
    return path, None


def _is_module_name(place: str) -> bool:
    return all(part.isidentifier() for part in place.split("."))


def _is_file(place: str) -> bool:
    return place.endswith(".py") or "/" in place or "\\" in place


def _is_other_file(place: str) -> bool:
    """Whether a name with a dot is a file beside the user, such as ``README.md``.

    A module of that name has no file of that name: its own ends in ``.py``.
    """
    return "." in place and Path(place).is_file()


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise task_error(
                f"there is no module {error.name!r}",
                cure="install it where the worker runs, or give the file: path/to/file.py:Class",
            ) from error
        raise import_problem(error, _module_file(name)) from error
    except (Exception, SystemExit) as error:
        raise import_problem(error, _module_file(name)) from error


def _module_file(name: str) -> str | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    return spec.origin if spec else None
