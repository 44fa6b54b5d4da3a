"""The two doors of the database, its lock, and who is woken by a commit."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.database.engine import Database, after_commit
from service.database.lock import lock_data_dir, lock_database
from service.database.models import Study
from service.errors import DatabaseInUse, DataDirError
from service.settings import Settings, prepare_data_dir
from service.streams import events
from service.streams.events import MAX_COUNTERS, Hub
from tests.service_tests.support import Bench


def test_the_read_door_changes_nothing(bench: Bench) -> None:
    bench.create()
    change = sa.update(Study).values(name="changed")
    with bench.database.read() as session, pytest.raises(sa.exc.DBAPIError):
        session.execute(change)
    assert [row["name"] for row in bench.dump()["study"]] == ["study"]


def test_a_read_sees_one_moment(bench: Bench) -> None:
    bench.create()
    count = sa.select(sa.func.count()).select_from(Study)
    with bench.database.read() as session:
        assert session.scalar(count) == 1
        bench.create()
        assert session.scalar(count) == 1
    with bench.database.read() as session:
        assert session.scalar(count) == 2


def test_no_update_is_lost(bench: Bench) -> None:
    bench.create()

    def count_up(_: int) -> None:
        with bench.database.write() as session:
            study = session.scalars(sa.select(Study).with_for_update()).one()
            study.num_trials += 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count_up, range(100)))
    assert bench.dump()["study"][0]["num_trials"] == 100


def test_topics_are_published_after_the_commit_only(bench: Bench) -> None:
    hub = bench.database.hub
    order = []
    with bench.database.write() as session:
        events.publish_on_commit(session, "jobs")
        after_commit(session, lambda: order.append(hub.version("jobs")))
        assert hub.version("jobs") == 0
    assert order == [1]
    assert hub.version("jobs") == 1

    def fail() -> None:
        with bench.database.write() as session:
            events.publish_on_commit(session, "jobs")
            after_commit(session, lambda: order.append(1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert hub.version("jobs") == 1
    assert order == [1]


def test_what_fails_after_a_commit_is_logged_and_undoes_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    done = []

    def fail() -> None:
        raise OSError("the disk is away")

    with bench.database.write() as session:
        events.publish_on_commit(session, "jobs")
        after_commit(session, fail)
        after_commit(session, lambda: done.append(1))
    assert done == [1]
    assert bench.database.hub.version("jobs") == 1
    assert "an action after a commit failed" in caplog.text
    assert "the disk is away" in caplog.text


def test_events_are_numbered_without_gaps(bench: Bench) -> None:
    study = bench.create()

    def write(number: int) -> None:
        with bench.database.write() as session:
            study_id = session.scalar(sa.select(Study.id))
            assert study_id is not None
            events.append(session, study_id, "step", {"number": number})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    with bench.database.read() as session:
        found = events.since(session, study, 0)
        assert [event.sequence for event in found] == list(range(1, 42))
        assert [e.sequence for e in events.since(session, study, 39)] == [40, 41]
    assert bench.database.hub.version(events.study_topic(study)) == 41


def test_waiters_are_woken_from_other_threads() -> None:
    hub = Hub()

    async def wait_for_news() -> tuple[int, int, float]:
        started = time.monotonic()
        threading.Timer(0.05, hub.publish, ["topic"]).start()
        woken = await hub.wait("topic", 0, 5)
        took = time.monotonic() - started
        return woken, await hub.wait("topic", 1, 0.05), took

    woken, timed_out, took = asyncio.run(wait_for_news())
    assert woken == 1
    assert timed_out == 1
    assert took < 2
    assert asyncio.run(hub.wait("topic", 0, 5)) == 1  # published before waiting
    threading.Timer(0.05, hub.publish, ["topic"]).start()
    assert hub.wait_blocking("topic", 1, 5) == 2
    assert hub.wait_blocking("topic", 2, 0.01) == 2


def test_a_cancelled_waiter_leaves_nothing() -> None:
    hub = Hub()

    async def cancel_one() -> None:
        task = asyncio.create_task(hub.wait("topic", 0, 30))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_one())
    assert hub._waiters == {}
    hub.publish("topic")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://h/d"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite"):
        Database(url)


def _try_lock(settings: Settings) -> None:
    try:
        with lock_database(settings):
            os._exit(0)
    except DatabaseInUse:
        os._exit(7)


def test_one_service_to_a_sqlite_file(settings: Settings) -> None:
    prepare_data_dir(settings)
    context = multiprocessing.get_context("spawn")

    def exit_code() -> int | None:
        process = context.Process(target=_try_lock, args=(settings,))
        process.start()
        process.join(30)
        return process.exitcode

    with lock_database(settings):
        assert exit_code() == 7
        second = lock_database(settings)
        with pytest.raises(DatabaseInUse, match=f"process {os.getpid()}"):
            second.__enter__()
    assert exit_code() == 0


def test_postgres_needs_no_lock(settings: Settings) -> None:
    settings = settings.model_copy(update={"database_url": "postgresql://h/d"})
    with lock_database(settings), lock_database(settings):
        pass


def test_a_sqlite_file_shares_its_data_directory_with_no_other_database(
    settings: Settings,
) -> None:
    prepare_data_dir(settings)
    postgres = settings.model_copy(update={"database_url": "postgresql://h/d"})
    elsewhere = settings.model_copy(update={"database_url": "sqlite:///elsewhere.db"})
    with lock_data_dir(settings):
        for other in (elsewhere, postgres):
            second = lock_data_dir(other)
            with pytest.raises(DatabaseInUse, match=f"process {os.getpid()}"):
                second.__enter__()
    with lock_data_dir(postgres), lock_data_dir(postgres):
        second = lock_data_dir(settings)
        with pytest.raises(DatabaseInUse, match="SEVENSTEP_DATA_DIR"):
            second.__enter__()


def test_the_data_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert Settings().data_dir == tmp_path / ".local/share/sevenstep"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert Settings().data_dir == tmp_path / "xdg/sevenstep"
    monkeypatch.setenv("SEVENSTEP_DATA_DIR", str(tmp_path / "own"))
    assert Settings().data_dir == tmp_path / "own"
    assert Settings().resolved_database_url == f"sqlite:///{tmp_path}/own/sevenstep.db"
    for home in ("", None):
        monkeypatch.delenv("XDG_DATA_HOME", raising=False)
        monkeypatch.delenv("SEVENSTEP_DATA_DIR", raising=False)
        monkeypatch.delenv("HOME", raising=False)
        if home is not None:
            monkeypatch.setenv("HOME", home)
        assert Settings().data_dir.is_absolute()


def test_a_data_directory_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(DataDirError, match="set SEVENSTEP_DATA_DIR"):
        prepare_data_dir(Settings(data_dir=file / "data"))


def test_topics_nobody_waits_at_are_forgotten_and_no_news_is_lost() -> None:
    hub = Hub()
    hub.publish("study:first")
    seen = hub.version("study:first")  # on its way from its look to its wait
    never = hub.version("study:never published yet")
    for number in range(10 * MAX_COUNTERS):
        hub.publish(f"study:{number}")
    assert len(hub._versions) <= MAX_COUNTERS

    hub.publish("study:first")
    hub.publish("study:never published yet")
    assert hub.wait_blocking("study:first", seen, 0.0) > seen
    assert hub.wait_blocking("study:never published yet", never, 0.0) > never


def test_a_topic_somebody_waits_at_is_not_forgotten() -> None:
    hub = Hub()
    hub.publish("study:mine")

    async def wait() -> bool:
        task = asyncio.create_task(hub.wait_any({"study:mine": 1}, 30))
        await asyncio.sleep(0)
        for number in range(2 * MAX_COUNTERS):
            hub.publish(f"study:{number}")
        assert hub.version("study:mine") == 1
        assert not task.done()
        hub.publish("study:mine")
        return await task

    assert asyncio.run(wait())


def test_everybody_looks_who_has_looked_before_everything_was_published() -> None:
    hub = Hub()
    seen = hub.version("never published")
    hub.publish_everything()
    assert hub.wait_blocking("never published", seen, 0.0) > seen
