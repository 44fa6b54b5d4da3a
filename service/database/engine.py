"""The database: one door for changes, one for reading."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from recipes.failpoint import failpoint
from service.database import schema
from service.database.listening import Listener
from service.database.write_ahead_log import use_write_ahead_log
from service.streams.events import Hub

log = logging.getLogger(__name__)

POOL_SIZE = 20
POOL_OVERFLOW = 40
"""Together above the forty threads that run endpoints, with room for the conductor."""
BUSY_TIMEOUT_SECONDS = 15.0
"""How long a SQLite writer waits for the one before it; 64 writers were seen to need 0.75."""


class Database:
    """A SQLite file or a Postgres database. Any thread may call any method.

    Args:
        url: A SQLAlchemy URL: ``sqlite:///file``, ``postgresql://user:password@host/name``.
        hub: Where topics are published after a commit; one of its own when left out.
        delete_file: Removes an artifact's bytes, by its uid, once its row is gone for good.

    Raises:
        ValueError: The URL names no SQLite file and no Postgres database.
    """

    def __init__(
        self,
        url: str,
        *,
        hub: Hub | None = None,
        delete_file: Callable[[str], object] | None = None,
    ) -> None:
        self.url = _normalised(url)
        self.hub = hub or Hub()
        self._delete_file = delete_file
        if self.is_sqlite:
            self._write_engine = _sqlite_engine(self.url, read_only=False)
            self._read_engine = _sqlite_engine(self.url, read_only=True)
        else:
            self._write_engine = create_engine(
                self.url, pool_size=POOL_SIZE, max_overflow=POOL_OVERFLOW, pool_pre_ping=True
            )
            # The same pool. A read sees one moment, as it does on SQLite.
            self._read_engine = self._write_engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        self._writing = threading.Lock() if self.is_sqlite else None
        self._listener = None if self.is_sqlite else Listener(self.url, self.hub)
        self._write_sessions = sessionmaker(self._write_engine, expire_on_commit=False)
        self._read_sessions = sessionmaker(self._read_engine, expire_on_commit=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is a SQLite file, owned by one service process."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that may change things: commits at the end, rolls back on an error.

        On SQLite it has the write lock from its beginning. Once it is committed, topics
        collected in ``session.info["topics"]`` are published, to other processes too, actions
        added by :func:`after_commit` run, and the files given to :func:`forget_files` go. What
        fails then is logged, not raised: whoever sees an error here may undo its own part, as
        nothing was committed.
        """
        with self._turn(), self._write_sessions() as session, session.begin():
            yield session
            if self._listener is not None and (topics := session.info.get("topics")):
                self._listener.notify(session, topics)
        if place := session.info.get("failpoint"):
            failpoint(place)
        for topic in session.info.get("topics", ()):
            self.hub.publish(topic)
        for action in session.info.get("after_commit", ()):
            _attempt(action)
        if self._delete_file is not None:
            for uid in session.info.get("files", ()):
                _attempt(partial(self._delete_file, uid))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One writer of this process at a time, where the database has one anyway: who waits is
        woken at once, while SQLite itself looks again after 1, 2, 5, 10 ... milliseconds.

        Requests wait for ``Context.writers`` before, which leaves threads to the one that has it.
        """
        if self._writing is None:
            yield
            return
        if not self._writing.acquire(timeout=BUSY_TIMEOUT_SECONDS):
            raise OperationalError(None, None, sqlite3.OperationalError("database is locked"))
        try:
            yield
        finally:
            self._writing.release()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that sees one moment of the database and cannot change it."""
        with self._read_sessions() as session:
            yield session

    def listen(self) -> None:
        """Hear at once of what other processes commit, where they may: on Postgres."""
        if self._listener is not None:
            self._listener.start()

    @property
    def hears_others(self) -> bool:
        """Whether news of other processes arrives by itself now."""
        return self._listener is not None and self._listener.is_listening

    def upgrade(self) -> None:
        """Bring the tables to this release's schema, all of it or nothing.

        Raises:
            SchemaTooNew: They are of a newer release already; nothing was changed.
        """
        schema.upgrade(self.url)

    def check_schema(self) -> None:
        """Check that the tables are this release's.

        Raises:
            SchemaTooOld: An upgrade is needed; the message names the command.
            SchemaTooNew: They are of a newer release.
        """
        with self._read_engine.connect() as connection:
            schema.check(connection)

    def dispose(self) -> None:
        """Close every connection."""
        if self._listener is not None:
            self._listener.stop()
        self._write_engine.dispose()
        self._read_engine.dispose()


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Have ``action`` run once the session's transaction is committed, and only then."""
    session.info.setdefault("after_commit", []).append(action)


def forget_files(session: Session, uids: Iterable[str]) -> None:
    """Have the bytes of artifacts removed once the loss of their rows is committed."""
    session.info.setdefault("files", []).extend(uids)


def _attempt(action: Callable[[], object]) -> None:
    try:
        action()
    except Exception:
        log.exception("an action after a commit failed; what was committed stays")


def _normalised(url: str) -> URL:
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ValueError(f"{parsed.drivername} is not supported; give a sqlite or postgresql URL")
    if parsed.database in (None, "", ":memory:"):
        raise ValueError("a SQLite database needs a file: sqlite:////path/to/sevenstep.db")
    return parsed


def _sqlite_engine(url: URL, *, read_only: bool) -> Engine:
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: DBAPIConnection, record: Any) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.isolation_level = None  # we begin ourselves, below
        use_write_ahead_log(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        if read_only:
            connection.execute("PRAGMA query_only=ON")

    # A plain BEGIN that reads first cannot become a writer when another one got ahead:
    # "database is locked", at once and whatever the timeout.
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
