"""The class of a task: finding it in its module, and making the object."""

from __future__ import annotations

import difflib
import inspect
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from recipes.task import Task
from worker.describe.errors import TaskError, raised, task_error

NEEDED = {"data": "data(self, split)", "model": "model(self, params)"}
"""The methods without which a class is no task, and how they are written."""

OURS = "worker.tasks."
"""Where the built-in tasks are written."""


def choose(module: ModuleType, class_name: str | None) -> type:
    """The class of that name, or the module's only task.

    Args:
        module: The loaded module.
        class_name: None where the reference names none.

    Raises:
        TaskError: There is no such class, it is no task, or there are several to choose from.
    """
    classes = _own_classes(module)
    name = _only_task(module, classes) if class_name is None else class_name
    file = module.__file__
    if name not in vars(module):
        tasks = [each for each, found in classes.items() if not _missing(found)]
        close = difflib.get_close_matches(name, tasks or classes, n=1)
        cure = "write a class with `data` and `model`"
        if tasks:
            cure = f"its tasks are {_listed(tasks)}"
        elif classes:
            cure = f"its classes are {_listed(classes)}"
        raise task_error(
            f"there is no class {name!r}",
            cure=f"did you mean {close[0]!r}?" if close else cure,
            file=file,
        )
    found = vars(module)[name]
    if not inspect.isclass(found):
        raise task_error(
            f"{name} is a {type(found).__name__}, not a class",
            cure="name the class; Sevenstep makes the object",
            file=file,
        )
    missing = _missing(found)
    if missing:
        raise task_error(
            f"class {name} has no {' and no '.join(f'`{each}`' for each in missing)}",
            cure=f"define {' and '.join(NEEDED[each] for each in missing)}",
            file=file,
            line=_line(found),
        )
    return found


def with_defaults(task_class: type) -> type[Task]:
    """The class itself, or one that takes what it lacks from ``Task``.

    Raises:
        TaskError: The class cannot be derived from together with ``Task``.
    """
    if issubclass(task_class, Task):
        return task_class
    names = {each: getattr(task_class, each) for each in ("__module__", "__qualname__", "__doc__")}
    try:
        return type(task_class.__name__, (task_class, Task), names)
    except TypeError as error:
        raise raised(
            error,
            f"class {task_class.__name__} cannot be used as a task",
            cure=f"derive it from Task: class {task_class.__name__}(Task)",
            file=class_file(task_class),
        ) from error


def construct(task_class: type[Task], args: Mapping[str, Any]) -> Task:
    """The task's object.

    Args:
        task_class: Its class.
        args: The constructor's arguments, by name.

    Raises:
        TaskError: An argument is unknown or missing, or the constructor raised.
    """
    _check_args(task_class, args)
    try:
        return task_class(**args)
    except TaskError:  # built-in tasks and ours to help say themselves what is wrong
        raise
    except Exception as error:
        raise raised(
            error,
            f"task {task_class.__name__} could not be made",
            cure="correct its constructor or the arguments given",
            file=class_file(task_class),
        ) from error


def class_file(task_class: type) -> str | None:
    """The file that defines a class; None for one made in a session."""
    return getattr(sys.modules.get(task_class.__module__), "__file__", None)


def _own_classes(module: ModuleType) -> dict[str, type]:
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    }


def _only_task(module: ModuleType, classes: Mapping[str, type]) -> str:
    """The one public task's name, else the one class that is nearly a task."""
    tasks = [n for n, found in classes.items() if not _missing(found) and not n.startswith("_")]
    if len(tasks) > 1:
        raise task_error(
            f"there are several tasks: {_listed(tasks)}",
            cure=f"say which one: {shlex.quote(f'{module.__file__}:{tasks[0]}')}",
            file=module.__file__,
        )
    nearly = [name for name, found in classes.items() if len(_missing(found)) < len(NEEDED)]
    for names in (tasks, nearly, list(classes)):
        if len(names) == 1:
            return names[0]
    raise task_error(
        "there is no class with `data` and `model`"
        + (f"; the classes are {_listed(classes)}" if classes else ""),
        cure=f"write one: class MyTask(Task) with {' and '.join(NEEDED.values())}",
        file=module.__file__,
    )


def _missing(task_class: type) -> list[str]:
    return [
        name
        for name in NEEDED
        if not callable(getattr(task_class, name, None))
        or getattr(task_class, name) is getattr(Task, name)
    ]


def _check_args(task_class: type[Task], args: Mapping[str, Any]) -> None:
    # Where a task of ours is written is nothing its user could mend.
    is_built_in = task_class.__module__.startswith(OURS)
    try:
        parameters = inspect.signature(task_class).parameters.values()
    except (TypeError, ValueError):  # a constructor written in C shows no signature
        return
    known = {
        each.name: each
        for each in parameters
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    }
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    unknown = [name for name in args if name not in known and not takes_any]
    lacking = [
        name for name, each in known.items() if each.default is each.empty and name not in args
    ]
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, n=1)
        takes = f"it takes {_listed(known)}" if known else "it takes none"
        problem = f"takes no argument {unknown[0]!r}"
        cure = f"did you mean {close[0]!r}?" if close else takes
    elif lacking:
        problem = f"needs {_listed(lacking)}"
        meanings = "; ".join(filter(None, (_meaning(task_class, name) for name in lacking)))
        cure = f"give {' '.join(f'--arg {name}=...' for name in lacking)}"
        cure += f" ({meanings})" if meanings else ""
        cure += "" if is_built_in else ", or set a default"
    else:
        return
    raise task_error(
        f"task {task_class.__name__} {problem}",
        cure=cure,
        file=None if is_built_in else class_file(task_class),
        line=None if is_built_in else _line(task_class),
    )


def _meaning(task_class: type, argument: str) -> str:
    """What a docstring of the class or of those it derives from says of an argument, as in
    ``target: Name of the column``; empty where none does."""
    for each in task_class.__mro__:
        found = re.search(rf"^ +{re.escape(argument)}: (.+)$", each.__doc__ or "", re.MULTILINE)
        if found:
            return f"{argument}: {found[1].rstrip('.')}"
    return ""


def _line(task_class: type) -> int | None:
    try:
        return inspect.getsourcelines(task_class)[1]
    except (OSError, TypeError):
        return None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
