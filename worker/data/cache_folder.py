"""Where decoded data is kept on this machine, and what is thrown away there.

Files of one entry begin with its name: ``NAME.safetensors``, ``NAME.lock``, and while it
is written ``NAME.*.tmp``. Whoever holds the lock is alone with the entry; a process that
is killed gives its locks back.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

logger = logging.getLogger(__name__)

ENTRY_SUFFIX = ".safetensors"
MAX_BYTES = 16 * 1024**3
"""Most bytes all entries may take; beyond it those unused for longest go. CIFAR-10 as float32
takes 0.7 GB, and a split that is held at all at most 2 GiB."""
MAX_UNUSED_SECONDS = 30 * 86_400.0
"""An entry nobody used for so long goes too: its files are probably gone."""


def cache_folder() -> Path | None:
    """The folder, made when it is not there; None where none can be written.

    ``$SEVENSTEP_CACHE_DIR``, else ``sevenstep`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
    What is wrong with it is logged once a process.
    """
    return _folder(os.environ.get("SEVENSTEP_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME"))


@cache
def _folder(own: str | None, general: str | None) -> Path | None:
    try:
        base = Path(general) if general else Path("~/.cache").expanduser()
        folder = (Path(own).expanduser() if own else base / "sevenstep") / "decoded"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Not os.access: that says yes to root on a file system that is mounted read-only.
        with locked(folder, "probe"):
            pass
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
        say_not_kept(error.strerror or str(error) if isinstance(error, OSError) else str(error))
        return None
    return folder


@cache
def say_not_kept(reason: str) -> None:
    """Log, once for each reason, that decoded data stays in this process's own memory."""
    logger.warning(
        "decoded data is not kept for other processes: %s; set SEVENSTEP_CACHE_DIR to a folder"
        " of yours",
        reason,
    )


@contextlib.contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Be alone with an entry; waits while another process or thread is.

    Raises:
        OSError: The folder cannot be written, or its file system has no locks.
    """
    descriptor = _lock(folder, name, fcntl.LOCK_EX)
    try:
        yield
    finally:
        _unlock(folder, name, descriptor)


def clean(folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Throw away what is too old or too much, and what killed processes left half written.

    Entries in use by another process go too: who has mapped a file keeps its contents. An
    entry that somebody is making right now stays.

    Args:
        folder: As ``cache_folder`` gives it.
        max_bytes: Most bytes all entries may take.
    """
    oldest = time.time() - MAX_UNUSED_SECONDS
    entries = sorted(_entries(folder), reverse=True)
    total = 0
    for used, size, name in entries:
        total += size
        if total > max_bytes or used < oldest:
            _remove(folder, name)
    whole = {name for _, _, name in entries}
    for path in sorted(folder.glob("*.tmp")):
        name = path.name.partition(".")[0]
        if name not in whole:
            _remove(folder, name)


def _entries(folder: Path) -> Iterator[tuple[float, int, str]]:
    """Time of last use, bytes and name of each entry."""
    for path in folder.glob(f"*{ENTRY_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):  # another process cleans too
            status = path.stat()
            yield status.st_mtime, status.st_size, path.stem


def _remove(folder: Path, name: str) -> None:
    with contextlib.suppress(BlockingIOError):
        descriptor = _lock(folder, name, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            (folder / f"{name}{ENTRY_SUFFIX}").unlink(missing_ok=True)
            for path in folder.glob(f"{name}.*.tmp"):
                path.unlink(missing_ok=True)
        finally:
            _unlock(folder, name, descriptor)


def _lock(folder: Path, name: str, how: int) -> int:
    path = folder / f"{name}.lock"
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, how)
            # Its last holder removed the file: a lock on what is gone keeps nobody out.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _unlock(folder: Path, name: str, descriptor: int) -> None:
    try:
        (folder / f"{name}.lock").unlink(missing_ok=True)
    finally:
        os.close(descriptor)
