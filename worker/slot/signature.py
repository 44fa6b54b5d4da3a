"""What a source file looked like, cheaply, to notice that it has changed."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path


def signature(path: str) -> str:
    """A file's size and time of change; ``missing`` when it is not there."""
    try:
        status = Path(path).stat()
    except OSError:
        return "missing"
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"


def task_files(modules_before: Iterable[str]) -> dict[str, str]:
    """Signatures of the files of all modules imported since, installed libraries left out.

    Args:
        modules_before: The names that stood in ``sys.modules`` before the task was loaded.
    """
    installed = tuple({sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")})
    before = set(modules_before)
    files = (
        getattr(module, "__file__", None)
        for name, module in list(sys.modules.items())
        if name not in before
    )
    return {
        file: signature(file)
        for file in files
        if isinstance(file, str) and not file.startswith(installed)
    }
