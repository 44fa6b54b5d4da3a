"""What is kept for how long: removes what is over its time, in bounded slices."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from recipes.failpoint import failpoint
from service.clock import database_now, utc_now
from service.database.engine import Database, forget_files
from service.repositories import removal
from service.settings import Settings

log = logging.getLogger(__name__)

PERIOD_SECONDS = 60.0
"""Between two looks for what is too old, when the last one found nothing."""
LOOK_SECONDS = 0.2
"""Longest that one look removes things: a fifth of the conductor's second between looks."""


class Housekeeping:
    """Clears deleted studies, and forgets what the settings say is old. Two at once are harmless.

    Every slice is a transaction of its own; files go once their rows are gone for good.

    Args:
        database: Where the studies are.
        settings: ``keep_artifacts_days``, ``keep_events_days`` and ``kept_answer_hours``.
    """

    def __init__(self, database: Database, *, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._next_look = float("-inf")

    def look(self) -> int:
        """Remove for a moment, if there is anything to remove; how many slices went."""
        num_slices = 0
        ends_at = time.monotonic() + LOOK_SECONDS
        for clear in (self._clear_deleted, *self._forget_when_due()):
            while clear():
                num_slices += 1
                if time.monotonic() > ends_at:
                    return num_slices
        return num_slices

    def _clear_deleted(self) -> bool:
        """Remove a slice of a deleted study; whether there was one."""
        with self._database.read() as session:
            deleted = removal.deleted_studies(session)
        if not deleted:
            return False
        with self._database.write() as session:
            files = removal.slice_of_study(session, deleted[0])
            forget_files(session, files or ())
        failpoint("delete.after_slice")
        if files is None:
            log.info("a deleted study holds nothing any more")
        return True

    def _forget_when_due(self) -> tuple[Callable[[], bool], ...]:
        """What to forget in this look: everything once a period, until nothing is found."""
        if time.monotonic() < self._next_look:
            return ()
        return (self._forget_artifacts, self._forget_events, self._forget_answers, self._rest)

    def _forget_artifacts(self) -> bool:
        days = self._settings.keep_artifacts_days
        if days is None:
            return False
        with self._database.write() as session:
            files = removal.old_artifacts(session, database_now(session) - timedelta(days=days))
            forget_files(session, files)
        if files:
            log.info("forgot %d artifacts of studies that ended long ago", len(files))
        return bool(files)

    def _forget_events(self) -> bool:
        days = self._settings.keep_events_days
        if days is None:
            return False
        with self._database.write() as session:
            num_events = removal.old_events(session, database_now(session) - timedelta(days=days))
        if num_events:
            log.info("forgot %d events of studies that ended long ago", num_events)
        return num_events > 0

    def _forget_answers(self) -> bool:
        # By the clock that they were written with, as where they are looked up.
        before = utc_now() - timedelta(hours=self._settings.kept_answer_hours)
        with self._database.write() as session:
            return removal.old_answers(session, before) > 0

    def _rest(self) -> bool:
        self._next_look = time.monotonic() + PERIOD_SECONDS
        return False
