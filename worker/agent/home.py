"""An agent's own folder, and what agents that died left in theirs.

Every agent has a private folder below the worker's home and holds a lock on it while it
lives. Who can take the lock of another's folder knows that its agent is dead: it says
goodbye to the service in the dead one's name, so that its attempts are tried again at
once and not after a whole lease, and removes the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from worker.settings import SettingsError

logger = logging.getLogger(__name__)


class AgentFolder:
    """A private, locked folder (mode 0700) below ``home``; a context manager.

    Raises:
        SettingsError: The folder cannot be made; the message says what to do.
    """

    def __init__(self, home: Path) -> None:
        # A folder belongs to one machine: process locks of another would not be seen here.
        self._agents = home / "agents" / socket.gethostname()
        try:
            # parents=True alone makes folders above the last one readable by everybody; the
            # data directory, where this agent is the first there, is among them.
            home.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            home.mkdir(exist_ok=True, mode=0o700)
            self._agents.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path = Path(tempfile.mkdtemp(dir=self._agents))
            lock = _lock(self.path)
        except OSError as error:
            raise SettingsError(
                f"home: cannot write in {home} ({error.strerror});"
                " pass --home with a folder of yours"
            ) from error
        assert lock is not None, "a fresh folder's lock is free"
        self._lock = lock

    def __enter__(self) -> AgentFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def record(self, server: str, worker: str) -> None:
        """Note who this agent is to which service, for those who come after it."""
        with (self.path / "workers").open("a") as file:
            file.write(f"{server} {worker}\n")
            file.flush()
            os.fsync(file.fileno())

    def bury(self, server: str, goodbye: Callable[[str], None]) -> None:
        """Say goodbye for the dead agents of this home, and remove their folders.

        Args:
            server: The service to speak to. What others know is left as it is.
            goodbye: Says goodbye for one worker id. Its errors pass through, and the
                folder stays for the next one to try.
        """
        for folder in sorted(self._agents.iterdir()):
            if folder == self.path or (lock := _lock(folder)) is None:
                continue
            try:
                workers = _workers(folder)
                for known_server, worker in workers:
                    if known_server == server:
                        logger.info("worker %s died here before: saying goodbye for it", worker)
                        goodbye(worker)
                if all(known_server == server for known_server, _ in workers):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _workers(folder: Path) -> list[tuple[str, str]]:
    try:
        lines = (folder / "workers").read_text().splitlines()
    except FileNotFoundError:  # died before it registered
        return []
    pairs = (line.split(" ") for line in lines)
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]


def _lock(folder: Path) -> int | None:
    """The lock on a folder, as a descriptor to keep open; None when somebody holds it."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, BlockingIOError):
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BaseException:
            os.close(descriptor)
            raise
    return None
