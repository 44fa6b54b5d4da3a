"""Paths that a task is given as an argument."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from worker.describe.errors import task_error


def existing_path(name: str, value: object, *, is_folder: bool = False) -> Path:
    """An argument's path, absolute, of a file or folder that is there.

    A worker's working directory is another one than the user's, so a relative path would
    mean something else there: it is refused. ``~`` stands for the home of the worker's user.

    Args:
        name: The argument's name, for messages.
        value: What was given.
        is_folder: Whether it shall be a folder; else a regular file.

    Raises:
        TaskError: It does not fit; names the argument, the value and the cure.
    """
    what = "folder" if is_folder else "file"
    if not isinstance(value, str) or not value or "\0" in value:
        raise task_error(f"{name} is {value!r}", cure=f"give the {what}'s path, as text")
    try:
        path = Path(value).expanduser()
    except RuntimeError as error:
        raise task_error(
            f"{name} is {value!r}, and there is no such home", cure="write the path in full"
        ) from error
    if not path.is_absolute():
        raise task_error(
            f"{name} is {value!r}, a relative path, and workers have directories of their own",
            cure=f"give it in full: --arg {shlex.quote(f'{name}={os.path.abspath(path)}')}",
        )
    if not path.exists():
        raise task_error(
            f"{name}: there is no {path}",
            cure="correct the path; it must be there on the machine the worker runs on",
        )
    if not (path.is_dir() if is_folder else path.is_file()):
        raise task_error(f"{name}: {path} is not a {what}", cure=f"give the path of a {what}")
    return path
