"""What a training process does with memory that it has freed."""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""As in glibc's malloc.h."""
KEPT_BYTES = 256 * 2**20
"""Free at its heap's end before the kernel gets some back."""
MAPPED_FROM_BYTES = 32 * 2**20
"""Larger tensors are the kernel's at once when they are freed; more glibc does not allow."""


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for the next iteration.

    It gives it back to the kernel else, and every iteration waits again for the pages of its
    larger tensors, some megabytes each: a tenth of the time of a net with wide inputs.

    Returns:
        Whether it will: only glibc can be told.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    set_option = ctypes.CDLL(None).mallopt
    return bool(
        set_option(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)
        and set_option(M_TRIM_THRESHOLD, KEPT_BYTES)
    )
