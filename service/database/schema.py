"""The tables' version: upgrade and check, through Alembic."""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import NullPool

from service.database.write_ahead_log import use_write_ahead_log
from service.errors import SchemaTooNew, SchemaTooOld

UPGRADE_LOCK = 0x5E7E57E9
"""Key of the Postgres advisory lock that keeps two upgrades apart."""


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, made by code: the installed package needs no ini file."""
    spec = importlib.util.find_spec("migrations")
    assert spec is not None
    assert spec.submodule_search_locations
    made = Config()
    # ConfigParser reads % as its own; a folder's name may hold one.
    folder = next(iter(spec.submodule_search_locations)).replace("%", "%%")
    made.set_main_option("script_location", folder)
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def head() -> str:
    """This release's revision."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    assert revision is not None
    return revision


def check(connection: Connection) -> None:
    """Raise unless the database is at this release's revision.

    Raises:
        SchemaTooOld: It is at an earlier one, or has no tables.
        SchemaTooNew: It is at a revision this release does not know.
    """
    found = MigrationContext.configure(connection).get_current_revision()
    wanted = head()
    if found == wanted:
        return
    if found is not None and not _knows(found):
        raise SchemaTooNew(found, wanted)
    raise SchemaTooOld(found, wanted)


def upgrade(url: URL, revision: str = "head") -> None:
    """Bring the database to a revision in one transaction.

    Raises:
        SchemaTooNew: It is at a revision this release does not know; nothing was changed.
    """
    with _transaction(url) as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        if found is not None and not _knows(found):
            raise SchemaTooNew(found, head())
        command.upgrade(config(connection), revision)


def downgrade(url: URL, revision: str) -> None:
    """Take the database back to an earlier revision, in one transaction."""
    with _transaction(url) as connection:
        command.downgrade(config(connection), revision)


def _knows(revision: str) -> bool:
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    return revision in known


@contextmanager
def _transaction(url: URL) -> Iterator[Connection]:
    """A connection for a change of the schema, alone in doing so.

    SQLite changes a column by making the table anew; with foreign keys on, dropping the
    old table would silently empty its children by ON DELETE CASCADE. So they are off
    (possible outside a transaction only) and checked before the commit.
    """
    engine = create_engine(url, poolclass=NullPool)
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite:

        @event.listens_for(engine, "connect")
        def _configure(connection: DBAPIConnection, record: object) -> None:
            assert isinstance(connection, sqlite3.Connection)
            connection.isolation_level = None
            use_write_ahead_log(connection)
            connection.execute("PRAGMA foreign_keys=OFF")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        with engine.begin() as connection:
            if not is_sqlite:
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK}
                )
            yield connection
            if is_sqlite:
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                assert not broken, f"the migration broke references: {broken[:5]}"
    finally:
        engine.dispose()
