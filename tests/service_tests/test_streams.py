"""Streams of events: nothing missed and nothing doubled, over cuts and from other processes."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from sqlalchemy import func, insert, select, text

from recipes.study import StudyState
from service.access import TokenScope
from service.api.events import _position
from service.clock import utc_now
from service.database.engine import Database
from service.database.listening import CHANNEL
from service.database.models import Event
from service.errors import InvalidInput
from service.settings import Settings
from service.streams import events
from service.streams.stream_position import (
    MAX_KEY,
    MAX_SEQUENCE,
    MAX_STUDIES_IN_CURSOR,
    Cursors,
    Position,
)
from service.streams.study_stream import MAX_GAP, StudyStream, cursor, parse_named
from service.use_cases import deletion, studies, tokens
from tests.postgres import PostgresServer
from tests.processes import END_WITH_US, SEVENSTEP, free_port, wait_for
from tests.service_tests.support import Bench, block


class Said(NamedTuple):
    """A message of a stream."""

    id: str
    kind: str
    data: Any


def happen(database: Database, study: str, kind: str = "step", **payload: int) -> None:
    with database.write() as session:
        events.append(session, studies.repository.require_id(session, study), kind, payload)


def begun(database: Database, named: str | None = None, place: str | None = None) -> StudyStream:
    stream = StudyStream(parse_named(named), place)
    with database.read() as session:
        stream.begin(session)
    return stream


def look(database: Database, stream: StudyStream) -> list[tuple[str, str, int]]:
    with database.read() as session:
        return [
            (message.kind, message.event.study, message.event.sequence)
            if message.event is not None
            else (message.kind, message.study or "", 0)
            for message in stream.look(session)
        ]


def test_a_stream_of_all_studies_has_those_to_come(bench: Bench) -> None:
    first = bench.create()
    stream = begun(bench.database)
    assert look(bench.database, stream) == []
    second = bench.create()
    happen(bench.database, first)
    assert look(bench.database, stream) == [("study", second, 1), ("step", first, 2)]
    assert look(bench.database, stream) == []


def test_a_stream_of_named_studies_has_those_alone(bench: Bench) -> None:
    first, second, third = (bench.create() for _ in range(3))
    stream = begun(bench.database, f"{first},{second}:0")
    assert look(bench.database, stream) == [("study", second, 1)]
    happen(bench.database, third)
    happen(bench.database, first)
    assert look(bench.database, stream) == [("step", first, 2)]


@pytest.mark.parametrize("is_named", [True, False])
def test_a_stream_that_is_cut_goes_on_where_it_was(bench: Bench, is_named: bool) -> None:
    uids = [bench.create() for _ in range(3)]
    named = ",".join(uids) if is_named else None
    told: list[tuple[str, str, int]] = []
    with bench.database.read() as session:
        place = StudyStream(parse_named(named), None).begin(session)
    sent = []
    for cut in range(20):
        for number in range(cut % 4):
            study = uids[(cut + number) % 3]
            happen(bench.database, study)
            sent.append(study)
        stream = begun(bench.database, named, place)
        with bench.database.read() as session:
            messages = stream.look(session)
        for message in messages[: 1 + cut % 3]:  # the rest is lost with the connection
            assert message.event is not None
            told.append((message.kind, message.event.study, message.event.sequence))
            place = message.cursor
    told += look(bench.database, begun(bench.database, named, place))
    assert sorted(study for _, study, _ in told) == sorted(sent)
    assert len(set(told)) == len(told)
    for uid in uids:
        sequences = [sequence for _, study, sequence in told if study == uid]
        assert sequences == list(range(2, 2 + len(sequences)))


def test_ended_studies_are_left_out_of_the_cursor(bench: Bench) -> None:
    """However many studies there were, a cursor is as long as those still open ask for."""
    uids = [bench.create() for _ in range(4)]
    with bench.database.write() as session:
        for uid in uids[:3]:
            study = studies.repository.require(session, uid)
            studies.repository.change(session, study.id, state=StudyState.COMPLETED)
            study.created_at = study.created_at.replace(year=2020)
    with bench.database.read() as session:
        position = Position.decode(cursor(session))
    assert position is not None
    assert (len(position.seen), position.num_settled) == (1, 3)


def test_a_deleted_study_is_said_to_be_gone(bench: Bench) -> None:
    kept, old, open_ = (bench.create() for _ in range(3))
    with bench.database.write() as session:
        studies.cancel(session, old)
        found = studies.repository.require(session, old)
        found.created_at = found.created_at.replace(year=2020)
    everything, named = begun(bench.database), begun(bench.database, f"{old},{kept}")
    before = begun(bench.database, f"{open_}")
    with bench.database.write() as session:
        deletion.delete_study(session, old)
        studies.cancel(session, open_)
        deletion.delete_study(session, open_)
    assert {kind for kind, _, _ in look(bench.database, everything)} == {"gone"}
    assert look(bench.database, named) == [("gone", old, 0)]
    assert look(bench.database, before) == [("gone", open_, 0)]
    assert look(bench.database, everything) == []


def test_who_missed_too_much_loads_everything_again(bench: Bench) -> None:
    study = bench.create()
    stream = begun(bench.database, f"{study}:0")
    with bench.database.write() as session:
        found = studies.repository.require(session, study, lock=True)
        rows = [
            {"study_id": found.id, "sequence": 2 + number, "kind": "step", "payload": "{}"}
            for number in range(MAX_GAP)
        ]
        session.execute(insert(Event), [{**row, "at": utc_now()} for row in rows])
        found.num_events = 1 + MAX_GAP
    assert look(bench.database, stream) == [("reset", "", 0)]
    happen(bench.database, study)
    assert look(bench.database, stream) == [("step", study, MAX_GAP + 2)]


@pytest.mark.parametrize("size", [0, 1, 3, MAX_STUDIES_IN_CURSOR])
def test_a_cursor_says_what_was_seen(size: int) -> None:
    seen = {7 * number + 1: 3**number % 100_003 for number in range(size)}
    position = Position(floor=12, num_settled=5, seen=seen)
    text = position.encode()
    assert Position.decode(text) == position
    assert len(text) <= 16 + 8 * size


@pytest.mark.parametrize("is_named", [True, False])
def test_cursors_event_by_event_are_those_of_the_position(is_named: bool) -> None:
    position = Position(is_named, floor=3, num_settled=2, seen={7: 300, 900: 1})
    cursors = Cursors(position, [900, 41, 7])
    assert Position.decode(cursors.after(41, 5)) == Position(
        is_named, 3, 2, {7: 300, 41: 5, 900: 1}
    )
    assert Position.decode(cursors.after(900, 2**31 - 1)) == Position(
        is_named, 3, 2, {7: 300, 41: 5, 900: 2**31 - 1}
    )
    assert position.seen == {7: 300, 900: 1}


def test_a_cursor_costs_no_more_the_more_studies_are_open() -> None:
    """A whole position encoded is a thousand times as much work as an event's part of it."""
    position = Position(seen=dict.fromkeys(range(1, 1001), 9))
    began = time.process_time()
    cursors = Cursors(position, [500])
    for sequence in range(1000):
        cursors.after(500, sequence)
    event_by_event = time.process_time() - began
    began = time.process_time()
    for _ in range(100):
        position.encode()
    assert event_by_event < 10 * (time.process_time() - began) / 2


def test_a_cursor_of_too_many_studies_says_so() -> None:
    seen = dict.fromkeys(range(MAX_STUDIES_IN_CURSOR + 1), 1)
    assert Position.decode(Position(seen=seen).encode()) is None


@pytest.mark.parametrize("text", ["", "?", "YQ", "zzzz", "x" * 20_000, "YQ==", "é", "AAAA"])
def test_a_cursor_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        Position.decode(text)


@pytest.mark.parametrize("seen", [{2**63: 1}, {1: 2**31}, {2**62: 1, 2**63 + 5: 1}])
def test_a_cursor_of_what_no_column_holds_is_refused(seen: dict[int, int]) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        Position.decode(Position(seen=seen).encode())


def test_the_highest_numbers_that_are_taken_break_no_statement(bench: Bench) -> None:
    study = bench.create()
    highest = Position(floor=MAX_KEY, num_settled=MAX_KEY, seen={MAX_KEY: MAX_SEQUENCE})
    assert look(bench.database, begun(bench.database, None, highest.encode())) == [
        ("reset", "", 0)
    ]
    with bench.database.read() as session:
        assert events.since(session, study, _position("9" * 30, 0)) == []


@pytest.mark.parametrize(
    "text", ["", "a", "A" * 16, f"{'a' * 16}:x", f"{'a' * 16}:", ",".join(["a" * 16] * 3) + ","]
)
def test_studies_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="studies"):
        parse_named(text)


@contextmanager
def process(url: str, data_dir: Path) -> Iterator[str]:
    """A service process on a database, without a worker and without a conductor."""
    port = free_port()
    running = subprocess.Popen(
        [
            *(*SEVENSTEP, "serve", "--no-worker", "--port", str(port)),
            *("--data-dir", str(data_dir), END_WITH_US),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "SEVENSTEP_DATABASE_URL": url,
            "SEVENSTEP_RUN_CONDUCTOR": "false",
        },
    )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert running.poll() is None, running.communicate()
        try:
            return httpx2.get(f"{address}/healthz", timeout=2).status_code == 200
        except httpx2.TransportError:
            return False

    try:
        wait_for(answers, seconds=60, what="the service")
        yield address
    finally:
        running.terminate()
        running.communicate(timeout=20)


def listen(address: str, token: str, path: str, *, last: str | None = None) -> Iterator[Said]:
    headers = {"Authorization": f"Bearer {token}"}
    if last is not None:
        headers["Last-Event-ID"] = last
    with httpx2.stream("GET", f"{address}{path}", headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                yield Said(fields["id"], fields["event"], json.loads(fields["data"]))
                fields = {}


@pytest.mark.slow
@pytest.mark.parametrize("is_for_all", [True, False])
def test_a_point_posted_to_one_process_is_seen_at_another_within_a_second(
    postgres: PostgresServer, tmp_path: Path, is_for_all: bool
) -> None:
    """Two real processes on Postgres; the stream is cut twenty times on the way."""
    with postgres.database() as url:
        database = Database(url)
        bench = Bench(database, _settings(tmp_path))
        study = bench.planned()
        claim = bench.must_claim(bench.worker())
        with database.write() as session:
            token = tokens.replace_token(session, name="t", scope=TokenScope.ADMIN)
        with process(url, tmp_path / "a") as here, process(url, tmp_path / "b") as there:
            path = "/api/v1/events" if is_for_all else f"/api/v1/studies/{study}/events"
            seen: list[tuple[float, Said]] = []
            ready, stop = threading.Event(), threading.Event()

            def read() -> None:
                last = None
                while not stop.is_set():
                    try:
                        last = listen_once(last)
                    except httpx2.TransportError:
                        assert stop.is_set(), "a stream broke off that was not cut here"

            def listen_once(last: str | None) -> str | None:
                """Up to the next event: the stream is cut there, and taken up again behind it."""
                for said in listen(there, token, path, last=last):
                    seen.append((time.monotonic(), said))
                    if said.kind != "at":
                        return said.id
                    ready.set()
                return last

            reader = threading.Thread(target=read, daemon=True)
            reader.start()
            assert ready.wait(20)
            trial = claim.job.run.members[0].trial if claim.job.run else 0
            sent = []
            for number in range(20):
                body = {
                    "fence": claim.fence,
                    "blocks": [block(trial, 1.0, first=number).model_dump(mode="json")],
                }
                before = len([said for _, said in seen if said.kind == "points"])
                answer = httpx2.post(
                    f"{here}/api/v1/attempts/{claim.attempt}/points",
                    json=body,
                    headers={"Authorization": f"Bearer {token}"},
                )
                sent.append(time.monotonic())  # it is stored now
                assert answer.status_code == 200, answer.text
                wait_for(
                    lambda before=before: (
                        len([said for _, said in seen if said.kind == "points"]) > before
                    ),
                    seconds=10,
                )
            stop.set()  # the reader ends with its service
            points = [(moment, said) for moment, said in seen if said.kind == "points"]
            sequences = [said.data["sequence"] for _, said in points]
            assert sequences == sorted(set(sequences))
            assert len(points) == 20
            delays = [moment - begin for (moment, _), begin in zip(points, sent, strict=True)]
            assert max(delays) < 1.0, delays
        database.dispose()


def _settings(folder: Path) -> Settings:
    return Settings(data_dir=folder / "bench", lease_seconds=300)


def test_news_of_another_process_wakes_this_one(postgres: PostgresServer) -> None:
    """LISTEN alone: nobody looks at the database meanwhile."""
    with postgres.database() as url:
        here, there = Database(url), Database(url)
        here.listen()
        try:
            wait_for(lambda: here.hears_others, seconds=20, what="the listener")
            before = here.hub.version(events.EVENTS)
            unknown = here.hub.version("any study's")
            study = Bench(there, _settings(Path("/nowhere"))).create()
            topic = events.study_topic(study)
            began = time.monotonic()
            assert here.hub.wait_blocking(topic, unknown, 10.0) == unknown + 1
            assert time.monotonic() - began < 1.0
            assert here.hub.version(events.EVENTS) > before
            _cut_listeners(there)
            wait_for(lambda: not here.hears_others, seconds=10, what="the cut")
            wait_for(lambda: here.hears_others, seconds=20, what="the listener, again")
            assert here.hub.version(topic) > unknown + 1  # whatever was missed, everybody looks
        finally:
            here.dispose()
            there.dispose()


@pytest.mark.parametrize(
    "payload", ["", "no JSON", "7", '["one"]', '["a", 7]', '["a", [{}]]', "[" * 7_000]
)
def test_what_others_notify_does_not_stop_the_listener(
    postgres: PostgresServer, payload: str
) -> None:
    with postgres.database() as url:
        here, there = Database(url), Database(url)
        here.listen()
        try:
            wait_for(lambda: here.hears_others, seconds=20, what="the listener")
            here.hub.publish("topic")
            seen = here.hub.version("topic")
            with there.write() as session:
                session.execute(select(func.pg_notify(CHANNEL, payload)))
            known = here.hub.wait_blocking("topic", seen, 10.0)
            assert known > seen  # everybody looks
            study = Bench(there, _settings(Path("/nowhere"))).create()
            topic = events.study_topic(study)
            assert here.hub.wait_blocking(topic, here.hub.version("none"), 10.0) > known
        finally:
            here.dispose()
            there.dispose()


def _cut_listeners(database: Database) -> None:
    with database.write() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'sevenstep listener'"
                " AND datname = current_database()"
            )
        )
