"""What a source file looked like, cheaply, to notice that it has changed."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType


def signature(path: str) -> str:
    """A file's size and time of change; ``missing`` when it is not there."""
    try:
        status = Path(path).stat()
    except OSError:
        return "missing"
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"


def task_files(modules: Iterable[ModuleType]) -> dict[str, str]:
    """Signatures of the modules' files, installed libraries left out."""
    files = (getattr(module, "__file__", None) for module in modules)
    return {
        file: signature(file)
        for file in files
        if isinstance(file, str) and not file.startswith(_installed())
    }


@cache
def _installed() -> tuple[str, ...]:
    return tuple({sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")})
