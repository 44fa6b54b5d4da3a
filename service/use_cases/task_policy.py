"""Which tasks a study may name: whoever may name any file may run any code."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

from sqlalchemy.orm import Session

from recipes.built_in import BUILT_IN_TASKS
from recipes.space import ParameterValue
from service.errors import InvalidInput
from service.repositories import studies
from service.repositories.stored import config_of
from service.settings import Settings

BUILT_IN = re.compile(r"[a-z][a-z0-9_-]*")
FILE = re.compile(r"[^\x00-\x1f]+\.py(:[A-Za-z_]\w*)?", re.ASCII)
MODULE = re.compile(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):[A-Za-z_]\w*", re.ASCII)
"""ASCII alone: a letter that looks like another one must not pass for a prefix's."""
NO_ARGS: Mapping[str, ParameterValue] = MappingProxyType({})


def check_new_task(
    task: str, settings: Settings, args: Mapping[str, ParameterValue] = NO_ARGS
) -> None:
    """Refuse a new study's task: one that may not run here, or a bare name nobody has.

    A name alone is a task of ours, and workers bring no others. Studies that are there
    already are left to their worker, which may be of a newer release than this service.

    Raises:
        InvalidInput: As :func:`check_task`; or there is no built-in task of this name.
    """
    check_task(task, settings, args)
    if BUILT_IN.fullmatch(task) and task not in BUILT_IN_TASKS:
        close = difflib.get_close_matches(task, BUILT_IN_TASKS, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise InvalidInput(
            "task",
            task,
            f"{hint}built in are {', '.join(BUILT_IN_TASKS)}; others are named as"
            " `package.module:Class` or by their file",
        )


def check_task(
    task: str, settings: Settings, args: Mapping[str, ParameterValue] = NO_ARGS
) -> None:
    """Refuse a task that this service was not started to run.

    Built-in tasks (a bare name) are allowed, whether there is one of this name or not. Those that
    read a user's files (arguments ``path``, ``test_path`` and the like) read them in the
    allowed folders alone: findings and errors tell what stands in them.

    Raises:
        InvalidInput: A file, where files are not allowed or the path is relative; a module
            outside the allowed prefixes; anything that is none of the three; a built-in
            task's path outside the allowed folders.
    """
    if BUILT_IN.fullmatch(task):
        for name, value in args.items():
            if (name == "path" or name.endswith("_path")) and not _may_read(value, settings):
                folders = ", ".join(map(str, settings.allowed_data_folders)) or "none"
                raise InvalidInput(
                    f"task_args.{name}",
                    value,
                    "this service's tasks read files below SEVENSTEP_ALLOWED_DATA_FOLDERS"
                    f" ({folders}), or any where it was started with --allow-task-files",
                )
        return
    module = MODULE.fullmatch(task)
    if module is not None and not module["module"].endswith(".py"):
        name = module["module"]
        prefixes = settings.allowed_task_modules
        if settings.allow_task_files or any(
            name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes
        ):
            return
        raise InvalidInput(
            "task",
            task,
            "this service runs tasks from the module prefixes in"
            f" SEVENSTEP_ALLOWED_TASK_MODULES ({', '.join(prefixes) or 'none'}) and built-in"
            " ones like `digits`",
        )
    if ".py" not in task and "/" not in task:
        raise InvalidInput(
            "task", task, "name a built-in task (`digits`), `package.module:Class` or a file"
        )
    if not settings.allow_task_files:
        raise InvalidInput(
            "task",
            task,
            "this service does not run task files: it was started without"
            " --allow-task-files; stop it and start it again with that option",
        )
    if not FILE.fullmatch(task):
        raise InvalidInput("task", task, "a file's name ends in .py, or in .py:Class")
    if not task.startswith("/"):
        raise InvalidInput("task", task, "give the file's absolute path")


def held_back(session: Session, settings: Settings, study_ids: Collection[int]) -> list[int]:
    """Those of some studies that are active and whose task this service was not started to run.

    A study may have been created under other settings, by ``sevenstep run`` say, and left:
    its attempts wait until a service that may run its task hands them out.
    """
    if settings.allow_task_files:
        return []
    active = [
        (study_id, config_of(config))
        for study_id, config in studies.active_configs(session, study_ids)
    ]
    return [
        study_id
        for study_id, config in active
        if not may_run(config.task, settings, config.task_args)
    ]


def may_run(task: str, settings: Settings, args: Mapping[str, ParameterValue] = NO_ARGS) -> bool:
    """Whether this service runs a task with these arguments."""
    try:
        check_task(task, settings, args)
    except InvalidInput:
        return False
    return True


def _may_read(path: ParameterValue, settings: Settings) -> bool:
    """Whether a path without ``..`` is below an allowed folder."""
    if settings.allow_task_files:
        return True
    # By its text: the file is on the worker's machine, not necessarily on this one. There a
    # ".." behind a link to a folder leads elsewhere than its text says.
    text = str(path)
    if ".." in text.split("/") or not text.isprintable():
        return False
    given = os.path.normpath(text)
    return os.path.isabs(given) and any(
        os.path.commonpath((given, folder)) == os.path.normpath(folder)
        for folder in settings.allowed_data_folders
        if folder.is_absolute()
    )
