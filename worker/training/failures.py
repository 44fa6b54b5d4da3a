"""What to say when a user's code raises: which error, where in their file, what kind."""

from __future__ import annotations

import traceback

import torch

from recipes.trial import TrialCause
from worker.describe.errors import describe_exception, is_users

MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory")
"""How torch's allocators speak where the error is a bare RuntimeError."""


def cause_of(error: BaseException) -> TrialCause:
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
        if is_users(frame.filename):
            return f"{text} ({frame.filename}:{frame.lineno} in {frame.name})"
    return text
