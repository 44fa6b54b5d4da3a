"""One service process to a SQLite file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from service.errors import DatabaseInUse, DataDirError
from service.settings import Settings


@contextmanager
def lock_database(settings: Settings) -> Iterator[None]:
    """Hold the SQLite file for this process; nothing to do on Postgres.

    The lock goes with the process, however it ends; the file beside the database stays.

    Raises:
        DatabaseInUse: Another process has it.
        DataDirError: The lock file cannot be made.
    """
    url = make_url(settings.resolved_database_url)
    if url.get_backend_name() != "sqlite" or url.database is None:
        yield
        return
    path = Path(f"{url.database}.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirError(
            f"{path} cannot be written ({error.strerror});"
            " set SEVENSTEP_DATA_DIR to a folder you may write"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            raise DatabaseInUse(
                f"another service (process {holder or 'unknown'}) has {url.database};"
                " stop it, or give this one its own SEVENSTEP_DATA_DIR"
            ) from None
        # SQLite makes its file readable by everybody; the log beside it takes the file's mode.
        file = Path(url.database)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        try:
            yield
        finally:
            if file.exists() and file.stat().st_size == 0:
                file.unlink()  # it was never opened: the start failed
    finally:
        os.close(descriptor)
