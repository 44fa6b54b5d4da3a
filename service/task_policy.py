"""Which tasks a study may name: whoever may name any file may run any code."""

from __future__ import annotations

import re

from service.errors import InvalidInput
from service.settings import Settings

BUILT_IN = re.compile(r"[a-z][a-z0-9_-]*")
FILE = re.compile(r"[^\x00-\x1f]+\.py(:[A-Za-z_]\w*)?")
MODULE = re.compile(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):[A-Za-z_]\w*")


def check_task(task: str, settings: Settings) -> None:
    """Refuse a task that this service was not started to run.

    Built-in tasks (a bare name) are always allowed: the worker knows them or says so.

    Raises:
        InvalidInput: A file, where files are not allowed or the path is relative; a module
            outside the allowed prefixes; anything that is none of the three.
    """
    if BUILT_IN.fullmatch(task):
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
            "this service does not run task files; start it with"
            " `sevenstep serve --allow-task-files`",
        )
    if not FILE.fullmatch(task):
        raise InvalidInput("task", task, "a file's name ends in .py, or in .py:Class")
    if not task.startswith("/"):
        raise InvalidInput("task", task, "give the file's absolute path")
