"""Databases for the tests: SQLite files, and a real Postgres server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from service.database.engine import Database
from service.settings import Settings
from tests.postgres import PostgresServer, Unavailable

for name in [name for name in os.environ if name.startswith("SEVENSTEP_")]:
    del os.environ[name]  # a developer's own settings must not change a test
# Several of torch's threads in each of several processes wait for one another on few cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Whether it pays to train together is measured, and so may differ from one study to the next:
# tests that compare studies bit for bit must not depend on it. Those about it take this back.
os.environ["SEVENSTEP_FUSE"] = "0"

# A commit's tests say the same each time: what Hypothesis draws depends on the test alone.
# HYPOTHESIS_PROFILE=random draws anew, to look for what is not known.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("random", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the session (for each process of pytest-xdist its own)."""
    try:
        server = PostgresServer.start()
    except Unavailable as error:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            raise
        pytest.skip(f"no Postgres here, so its half is not tested: {error}")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables, to be copied: migrating anew takes 30 times as long."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with the tables and no rows, of each kind."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        path = tmp_path / "test.db"
        path.write_bytes(template.read_bytes())
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database without tables, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.empty_database()


@pytest.fixture
def open_database() -> Iterator[Callable[[str], Database]]:
    """Opens databases, and closes them when the test is over."""
    opened: list[Database] = []

    def open_(url: str) -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield open_
    for database in opened:
        database.dispose()


@pytest.fixture
def database(database_url: str, open_database: Callable[[str], Database]) -> Database:
    """A fresh database with the tables, of each kind, open."""
    return open_database(database_url)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with short periods, for the real clock."""
    return Settings(
        data_dir=tmp_path / "data",
        heartbeat_seconds=0.1,
        lease_seconds=0.5,
        conductor_tick_seconds=0.05,
    )
