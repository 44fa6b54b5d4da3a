"""Whether a conductor lives: in this process by a moment, in another one by a file."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

STILL_SECONDS = 30.0
"""A conductor that did not stir for so long has died or hangs: it looks around every second,
and the longest decision that was seen took two."""
PERIOD_SECONDS = 1.0
"""Least time between two touches of the file."""


class Pulse:
    """Beats as a conductor works. Any thread may call any method.

    Args:
        file: Touched along, so that another process can tell.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._beat_at: float | None = None
        self._touched_at = float("-inf")

    def beat(self) -> None:
        """The conductor has done something, if only to find nothing to do."""
        now = time.monotonic()
        self._beat_at = now
        if self._file is not None and now - self._touched_at >= PERIOD_SECONDS:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.utime(descriptor)
            finally:
                os.close(descriptor)
            self._touched_at = now

    @property
    def is_alive(self) -> bool:
        """Whether it stirred lately. One that never did is still to begin."""
        return self._beat_at is None or time.monotonic() - self._beat_at < STILL_SECONDS


def pulse_file(data_dir: Path) -> Path:
    """The file that this machine's conductor touches; each container has a name of its own."""
    return data_dir / f"conductor-{socket.gethostname()[:64]}.alive"


def is_fresh(file: Path) -> bool:
    """Whether a conductor touched its file lately."""
    try:
        return time.time() - file.stat().st_mtime < STILL_SECONDS
    except FileNotFoundError:
        return False
