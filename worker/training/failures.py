"""What to say when a user's code raises: which error, where in their file, what kind."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch

from recipes.trial import TrialCause
from worker.describe.errors import describe_exception

OWN_FOLDER = Path(__file__).parents[1]
OWN_TASKS = OWN_FOLDER / "tasks"
MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory")
"""How torch's allocators speak where the error is a bare RuntimeError."""


def cause_of(error: Exception) -> TrialCause:
    """Whether memory ran out, or something else went wrong."""
    is_memory = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError)
        and any(words in str(error).lower() for words in MEMORY_WORDS)
    )
    return TrialCause.OUT_OF_MEMORY if is_memory else TrialCause.ERROR


def describe_failure(error: Exception) -> str:
    """``ValueError: text (file:line in function)``, the place being the task's own code.

    The innermost frame that is neither a library's nor the trainer's; left out when
    there is none.
    """
    text = describe_exception(error)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_users(frame.filename):
            return f"{text} ({frame.filename}:{frame.lineno} in {frame.name})"
    return text


def _is_users(filename: str) -> bool:
    path = Path(filename)
    if not path.is_file() or "site-packages" in path.parts or "dist-packages" in path.parts:
        return False
    is_stdlib = path.is_relative_to(Path(traceback.__file__).parent)
    is_trainers = path.is_relative_to(OWN_FOLDER) and not path.is_relative_to(OWN_TASKS)
    return not (is_stdlib or is_trainers)
