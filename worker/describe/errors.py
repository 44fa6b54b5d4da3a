"""The one error a user's task can cause, and how a problem is located in the user's file."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

import recipes
from recipes.description import TaskProblem

OUR_FOLDERS = (Path(__file__).resolve().parents[1], Path(recipes.__path__[0]).resolve())

NATIVE_STACK = "\nException raised from "
"""Torch puts the stack of its C++ behind some messages; it tells a user nothing."""
MAX_MESSAGE = 4_000
"""Characters of an exception's words that travel."""
MAX_TRACEBACK = 32 * 1024
"""Characters of a traceback that travel: its end, where the cause stands."""


class TaskError(Exception):
    """A task cannot be used. ``problem`` says what is wrong, where, and the cure."""

    def __init__(self, problem: TaskProblem) -> None:
        super().__init__(f"{problem.where}{problem.message}; {problem.cure}")
        self.problem = problem


def task_error(
    message: str, *, cure: str, file: str | None = None, line: int | None = None
) -> TaskError:
    """An error for something that is wrong without having raised."""
    return TaskError(TaskProblem(message=message, cure=cure, file=file, line=line))


def method_line(task: object, name: str, file: str | None) -> int | None:
    """The line of ``file`` where a task's method begins; None when it is not defined there."""
    code = getattr(inspect.unwrap(getattr(type(task), name)), "__code__", None)
    if code is None or code.co_filename != file:
        return None
    return int(code.co_firstlineno)


@contextmanager
def located_in(task: object, name: str, file: str | None) -> Iterator[None]:
    """Problems of the task's file that know no line get that of the method.

    Raises:
        TaskError: What was raised within, with a line.
    """
    try:
        yield
    except TaskError as error:
        problem = error.problem
        line = method_line(task, name, file)
        if line is None or problem.line is not None or problem.file != file:
            raise
        raise TaskError(problem.model_copy(update={"line": line})) from error


def raised(error: BaseException, message: str, *, cure: str, file: str | None) -> TaskError:
    """An error for an exception out of user code.

    Args:
        error: What the user's code raised.
        message: What was being done; the exception's own words are put behind it.
        cure: What to do about it.
        file: The task's file. The deepest line of it that was running is named; else
            the deepest line that is neither ours nor a library's.
    """
    frames = traceback.extract_tb(error.__traceback__)
    found = _place(frames, file)
    return TaskError(
        TaskProblem(
            message=f"{message}: {describe_exception(error)}",
            cure=cure,
            file=found[0] if found else file,
            line=found[1] if found else None,
            traceback="".join(
                traceback.format_exception(type(error), error, _users_part(error.__traceback__))
            )[-MAX_TRACEBACK:],
        )
    )


def describe_exception(error: BaseException) -> str:
    """An exception in one line, for people."""
    if isinstance(error, ValidationError):
        words = [
            ": ".join([*map(str, item["loc"][-1:]), item["msg"].removeprefix("Value error, ")])
            for item in error.errors(include_url=False, include_context=False)
        ]
        return shortened(f"{error.title}: {'; '.join(words)}")
    text = shortened(" ".join(str(error).partition(NATIVE_STACK)[0].split()))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def shortened(text: str) -> str:
    """Beginning and end of what is too long to travel: an exception can hold a whole array."""
    if len(text) <= MAX_MESSAGE:
        return text
    return f"{text[: MAX_MESSAGE // 2]} ... {text[-MAX_MESSAGE // 2 :]}"


def is_users(filename: str) -> bool:
    """Whether a frame's file is the user's: not ours (built-in tasks aside), not a library's."""
    return not _is_ours(filename) and not _is_library(filename)


def _place(frames: traceback.StackSummary, file: str | None) -> tuple[str, int | None] | None:
    for frame in reversed(frames):
        if frame.filename == file:
            return frame.filename, frame.lineno
    for frame in reversed(frames):
        if is_users(frame.filename):
            return frame.filename, frame.lineno
    return None


def _users_part(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is not ours on; the whole one when all are."""
    part = trace
    while part is not None and _is_machinery(part.tb_frame.f_code.co_filename):
        part = part.tb_next
    return part or trace


def _is_machinery(filename: str) -> bool:
    return _is_ours(filename) or filename.startswith("<frozen")


def _is_ours(filename: str) -> bool:
    path = Path(filename)
    built_in_tasks = OUR_FOLDERS[0] / "tasks"
    return not path.is_relative_to(built_in_tasks) and any(
        path.is_relative_to(folder) for folder in OUR_FOLDERS
    )


def _is_library(filename: str) -> bool:
    return (
        filename.startswith("<")
        or not {"site-packages", "dist-packages"}.isdisjoint(Path(filename).parts)
        or Path(filename).is_relative_to(Path(traceback.__file__).parent)
    )
