"""What to say when a user's code raises: which error, where in their file, what kind."""

from __future__ import annotations

import re
import traceback

import torch

from recipes.trial import TrialCause
from worker.describe.errors import describe_exception, is_users

MEMORY_WORDS = (
    *("out of memory", "can't allocate memory", "cannot allocate memory"),
    *("cublas_status_alloc_failed", "cudnn_status_alloc_failed"),
)
"""How torch's allocators, and the libraries that it calls, speak where the error is a bare
RuntimeError: in small letters."""
DEVICE_ERROR: type[RuntimeError] | tuple[()] = getattr(torch, "AcceleratorError", ())
DEVICE_WORDS = re.compile("CUDA error: (?!CUBLAS_STATUS)")
"""What torch raises for a GPU's error since 2.8, and how the RuntimeError before that begins. (One
of cuBLAS begins likewise, and the GPU still works after it.)"""


def cause_of(error: BaseException) -> TrialCause:
    """Whether memory ran out, or something else went wrong."""
    is_memory = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError)
        and any(words in str(error).lower() for words in MEMORY_WORDS)
    )
    return TrialCause.OUT_OF_MEMORY if is_memory else TrialCause.ERROR


def has_lost_device(error: BaseException) -> bool:
    """Whether the GPU was lost with it: all that this process asks of it from now on fails.

    So it does after an assertion in a kernel (a class out of range) or an access to memory that
    is none: the context is dead, which only a new process replaces. Whoever meets such an error
    raises it on, to the end of the job.
    """
    if cause_of(error) is TrialCause.OUT_OF_MEMORY:
        return False
    is_bare = isinstance(error, RuntimeError) and DEVICE_WORDS.match(str(error)) is not None
    if not (is_bare or isinstance(error, DEVICE_ERROR)):
        return False
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return True
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False  # a kernel that could not be launched, say: the device works on


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
