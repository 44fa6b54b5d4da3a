"""One service process to a SQLite file, and no other database's beside it in a data directory."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from service.errors import DatabaseInUse, DataDirError
from service.settings import Settings

log = logging.getLogger(__name__)

DATA_DIR_LOCK = ".lock"
"""File in the data directory. No database's own lock is called so."""


@contextmanager
def lock_database(settings: Settings) -> Iterator[None]:
    """Hold the SQLite file for this process; nothing to do on Postgres.

    The lock goes with the process, however it ends; the file beside the database stays.

    Raises:
        DatabaseInUse: Another process has it.
        DataDirError: The lock file cannot be made, or not locked.
    """
    url = make_url(settings.resolved_database_url)
    if url.get_backend_name() != "sqlite" or url.database is None:
        yield
        return
    with _locked(Path(f"{url.database}.lock"), fcntl.LOCK_EX, what=url.database):
        # SQLite makes its file readable by everybody; the log beside it takes the file's mode.
        file = Path(url.database)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            yield
        finally:
            if file.exists() and file.stat().st_size == 0:
                file.unlink()  # it was never opened: the start failed


@contextmanager
def lock_data_dir(settings: Settings) -> Iterator[None]:
    """Hold the data directory for this process: artifacts, ``server.json``, the worker's log.

    With a SQLite file it is held alone. Processes on a Postgres database may share one.

    Raises:
        DatabaseInUse: A process that does not share it has it.
        DataDirError: The lock file cannot be made, or not locked.
    """
    kind = fcntl.LOCK_EX if settings.is_sqlite else fcntl.LOCK_SH
    with _locked(settings.data_dir / DATA_DIR_LOCK, kind, what=str(settings.data_dir)):
        yield


@contextmanager
def _locked(path: Path, kind: int, *, what: str) -> Iterator[None]:
    """Hold a lock file, which names the process that took it last."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirError(
            f"{path} cannot be written ({error.strerror});"
            " set SEVENSTEP_DATA_DIR to a folder you may write"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            raise DatabaseInUse(
                f"another service (process {holder or 'unknown'}) has {what};"
                " stop it, or give this one its own SEVENSTEP_DATA_DIR"
            ) from None
        except OSError as error:
            if kind == fcntl.LOCK_SH:  # several may share it: there is less to guard
                log.warning("%s cannot be locked (%s); going on without", path, error.strerror)
                yield
                return
            raise DataDirError(
                f"{path} cannot be locked ({error.strerror});"
                " set SEVENSTEP_DATA_DIR to a folder on a local disk"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
