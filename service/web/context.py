"""What the requests of one service process share."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.conductor.pulse import Pulse
from service.database.engine import Database
from service.errors import SchemaTooOld
from service.metrics import Metrics
from service.repositories import artifacts
from service.settings import Settings, prepare_data_dir
from service.streams.events import Hub
from service.use_cases import counts
from service.use_cases.artifacts import ArtifactStore
from service.use_cases.counts import Counts
from service.use_cases.installation import installation_of
from service.use_cases.tokens import TOKENS
from service.web.points_writer import PointsWriter

log = logging.getLogger(__name__)

MOST_WRITERS = 20
"""Requests that write at a time: half of the threads that requests have."""
UPLOAD_SECONDS = 3600.0
"""Longest that a file may have no row yet: its upload, and the transaction after it."""
ALONE_LOOK_SECONDS = 5.0
TOLD_LOOK_SECONDS = 2.0
UNTOLD_LOOK_SECONDS = 0.25
"""Longest between two looks at the database: by the only process that writes to it, by one
that hears of the others' commits, and by one that does not."""
CLOSING_LOOK_SECONDS = 0.5
"""Longest that a waiting request keeps a process that wants to end."""


@dataclass(frozen=True, slots=True)
class Context:
    """Made when the application starts, closed when it stops.

    ``closing`` is set as soon as the process is asked to end, so that streams and long
    polls answer at once instead of holding it up. ``pulse`` is that of this process's
    conductor, where it has one. ``installation`` is the database's, the same in every process
    on it. ``writers`` is held by requests that write: each may hold a thread while it waits for
    the one before it, which needs another one to end.
    """

    settings: Settings
    database: Database
    hub: Hub
    artifacts: ArtifactStore
    metrics: Metrics
    points: PointsWriter
    installation: str
    pulse: Pulse = field(default_factory=Pulse)
    closing: threading.Event = field(default_factory=threading.Event)
    writers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_WRITERS))

    def seen(self, topic: str) -> dict[str, int]:
        """What a waiter has seen of a topic, and of revoked tokens: its own may be among them."""
        return {each: self.hub.version(each) for each in (topic, TOKENS)}

    async def wait(self, seen: Mapping[str, int], timeout_seconds: float) -> None:
        """Wait for news, holding no thread; back early when the process closes.

        Args:
            seen: From before its caller looked, as :meth:`seen` gave it.
            timeout_seconds: The longest to wait.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self.closing.is_set() and (left := deadline - time.monotonic()) > 0:
            if await self.hub.wait_any(seen, min(left, CLOSING_LOOK_SECONDS)):
                return

    @property
    def look_seconds(self) -> float:
        """Longest a waiting request goes without looking itself.

        The hub wakes waiters, at news of other processes too where a database tells of
        them; else those are only seen by looking.
        """
        alone = self.settings.run_conductor and self.database.is_sqlite
        if alone:
            return ALONE_LOOK_SECONDS
        return TOLD_LOOK_SECONDS if self.database.hears_others else UNTOLD_LOOK_SECONDS


def open_context(settings: Settings) -> Context:
    """Open the database and the artifacts' folder.

    A SQLite file is brought to this release's schema; a Postgres database is checked only.

    Raises:
        StartupError: The data directory or the database cannot be used.
    """
    prepare_data_dir(settings)
    store = ArtifactStore(settings.artifacts_dir)
    database = Database(settings.resolved_database_url, hub=Hub(), delete_file=store.delete)
    try:
        database.check_schema()
    except SchemaTooOld:
        if not database.is_sqlite:
            raise
        database.upgrade()
    installation = installation_of(database)
    _sweep(store, database, installation)
    database.listen()

    def count() -> Counts:
        with database.read() as session:
            return counts.read(session, settings)

    metrics = Metrics(count)
    return Context(
        settings=settings,
        database=database,
        hub=database.hub,
        artifacts=store,
        metrics=metrics,
        points=PointsWriter(database, metrics),
        installation=installation,
    )


def _sweep(store: ArtifactStore, database: Database, installation: str) -> None:
    """Remove files that no row names, unless rows of another database may."""
    with database.read() as session:
        known = artifacts.all_uids(session)
    if not store.hold(installation, known):
        log.warning(
            "artifacts of another database lie in this data directory too, so those that no row"
            " of this one names stay; give each its own SEVENSTEP_DATA_DIR or, once the other is"
            " given up, keep no line but %s in %s",
            installation,
            store.holders_file,
        )
        return
    # Others may share a Postgres database and this folder, and be uploading.
    store.sweep(known, older_than_seconds=0.0 if database.is_sqlite else UPLOAD_SECONDS)
