"""Counts the time that studies are active, and leaves out time when nobody served them."""

from __future__ import annotations

import time

from service.clock import database_now
from service.database.engine import Database
from service.repositories import studies

BEAT_SECONDS = 5.0
"""Period of counting: as much is lost at most when the service is killed."""


class ActiveClock:
    """Moves the active time of running studies on, a beat at a time.

    A gap longer than this process has been looking was time without a service, or with the
    machine asleep: it does not count against a study's budget. The first beat of a process
    counts a short gap in full (another conductor, or a quick restart), a long one not at all.

    Args:
        database: Where the studies are.
        beat_seconds: Least time between two beats.
    """

    def __init__(self, database: Database, *, beat_seconds: float = BEAT_SECONDS) -> None:
        self._database = database
        self._beat_seconds = beat_seconds
        self._last: float | None = None

    def beat(self) -> None:
        """Count what went by since the last beat, when one is due."""
        looked = time.monotonic()
        if self._last is not None and looked - self._last < self._beat_seconds:
            return
        with self._database.read() as session:
            spans = studies.active_spans(session)
        if spans:
            with self._database.write() as session:
                now = database_now(session)
                for span in spans:
                    gap = 0.0 if span.since is None else (now - span.since).total_seconds()
                    studies.count_active(session, span, self._counted(gap, looked), now)
        self._last = looked

    def _counted(self, gap: float, looked: float) -> float:
        """How much of a gap somebody was there to see."""
        if self._last is None:
            return gap if 0 <= gap <= 2 * self._beat_seconds else 0.0
        return min(max(0.0, gap), looked - self._last + self._beat_seconds)
