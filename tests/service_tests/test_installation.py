"""Which installation a database is, and whose the files of a data directory are."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.database.engine import Database
from service.errors import NotFound
from service.settings import Settings
from service.use_cases import tokens
from service.use_cases.installation import NO_DIGEST, installation_of
from service.views import token_views
from service.web.context import Context, open_context
from tests.service_tests.support import Bench
from tests.service_tests.test_artifacts import keep


@pytest.fixture
def two(tmp_path: Path, sqlite_template: Path) -> tuple[Settings, Settings]:
    """Two databases, and one data directory for both."""
    made = []
    for name in ("one.db", "two.db"):
        (tmp_path / name).write_bytes(sqlite_template.read_bytes())
        url = f"sqlite:///{tmp_path / name}"
        made.append(Settings(data_dir=tmp_path / "data", database_url=url))
    return made[0], made[1]


@contextmanager
def started(settings: Settings) -> Iterator[Context]:
    """What a service's start opens."""
    context = open_context(settings)
    try:
        yield context
    finally:
        context.database.dispose()


def test_a_file_that_no_row_names_goes_at_the_next_start(two: tuple[Settings, Settings]) -> None:
    with started(two[0]) as context:
        stray = context.artifacts.put(b"stray").uid
    with started(two[0]) as context, pytest.raises(NotFound):
        context.artifacts.path(stray)


def test_a_service_on_another_database_leaves_the_artifacts_there_are(
    two: tuple[Settings, Settings], caplog: pytest.LogCaptureFixture
) -> None:
    with started(two[0]) as context:
        first = context.artifacts.put(b"of the first").uid
    assert "SEVENSTEP_DATA_DIR" not in caplog.text
    with started(two[1]) as context:
        second = context.artifacts.put(b"of the second").uid
    assert "SEVENSTEP_DATA_DIR" in caplog.text
    for settings in two:
        with started(settings) as context:
            assert context.artifacts.path(first).read_bytes() == b"of the first"
            assert context.artifacts.path(second).read_bytes() == b"of the second"


def test_a_folder_is_swept_again_once_its_other_database_is_given_up(
    two: tuple[Settings, Settings],
) -> None:
    for settings in two:
        with started(settings) as context:
            stray = context.artifacts.put(b"stray").uid
    context.artifacts.holders_file.write_text(f"{context.installation}\n")
    with started(two[1]) as context, pytest.raises(NotFound):
        context.artifacts.path(stray)


def test_a_restored_folder_belongs_to_the_database_that_names_its_files(
    two: tuple[Settings, Settings],
) -> None:
    with started(two[0]) as context:
        bench = Bench(context.database, two[0])
        bench.planned([1])
        claim = bench.must_claim(bench.worker())
        store = context.artifacts
        named = keep(bench, claim, store, store.put(b"named"), 1).artifact
        stray = store.put(b"stray").uid
    store.holders_file.unlink()  # a back-up holds the named files alone
    with started(two[0]) as context:
        assert context.artifacts.path(named).read_bytes() == b"named"
        with pytest.raises(NotFound):
            context.artifacts.path(stray)


def test_files_of_which_a_database_names_none_are_another_ones(
    two: tuple[Settings, Settings],
) -> None:
    folder = two[0].artifacts_dir
    folder.mkdir(parents=True)
    (folder / ("a" * 16)).write_bytes(b"of whom?")
    for _ in range(2):
        with started(two[0]) as context:
            assert context.artifacts.path("a" * 16).read_bytes() == b"of whom?"


def test_an_installation_is_one_whoever_asks_first(database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: installation_of(database), range(4)))
    assert found == {installation_of(database)}


def test_another_database_is_another_installation(two: tuple[Settings, Settings]) -> None:
    found = set()
    for settings in two:
        with started(settings) as context:
            found.add(context.installation)
    assert len(found) == 2


def test_nobody_is_let_in_as_an_installation(database: Database) -> None:
    installation = installation_of(database)
    with database.read() as session:
        for secret in (installation, NO_DIGEST):
            assert tokens.identify(session, secret) is None
            assert not tokens.may_open_session(session, secret)
        assert token_views.list_tokens(session, good_only=False, limit=10).items == ()
