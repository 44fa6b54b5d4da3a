"""What Prometheus is told: this process's counters, the database's gauges, and no table scan."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Select, create_engine, text

from recipes.wire import AttemptState
from service.access import TokenScope
from service.conductor.pulse import STILL_SECONDS, Pulse, is_fresh, pulse_file
from service.metrics import Metrics
from service.repositories import counts as repository
from service.use_cases.counts import Counts
from service.use_cases.counts import read as read_counts
from tests.service_tests.served import Served, served
from tests.service_tests.support import Bench, block


@pytest.fixture
def client(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    with served(tmp_path / "data", sqlite_template, run_conductor=False) as made:
        yield made


def scraped(client: Served) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def labels(**pairs: str) -> frozenset[tuple[str, str]]:
    return frozenset(pairs.items())


def test_requests_are_told_by_route_and_not_by_path(client: Served) -> None:
    study = client.create()["id"]
    for _ in range(3):
        client.get(f"/api/v1/studies/{study}")
    for number in range(5):
        client.get(f"/nowhere/{number}")
    client.request("BREW", "/healthz")

    found = scraped(client)
    route = "/api/v1/studies/{study}"
    told = labels(method="GET", route=route, status="200")
    assert found["sevenstep_requests_total", told] == 3
    assert found["sevenstep_request_seconds_count", labels(method="GET", route=route)] == 3
    other = labels(method="GET", route="other", status="404")
    assert found["sevenstep_requests_total", other] == 5
    methods = {
        dict(key).get("method") for name, key in found if name == "sevenstep_requests_total"
    }
    assert methods == {"GET", "POST", "other"}


def test_a_fault_is_counted(client: Served) -> None:
    def broken() -> None:
        raise RuntimeError("of the test")

    client.app.add_api_route("/healthz/broken", broken)  # type: ignore[attr-defined]
    assert client.get("/healthz/broken").status_code == 500
    statuses = {dict(key).get("status") for name, key in scraped(client)}
    assert "500" in statuses


def test_a_worker_s_work_is_counted(client: Served) -> None:
    client.create()
    client.headers["Authorization"] = f"Bearer {client.token(TokenScope.ADMIN)}"
    worker = client.post(
        "/api/v1/workers/register", json={"name": "w", "slots": 2, "version": "0"}
    ).json()["worker"]
    claimed = client.post(f"/api/v1/workers/{worker}/claim", json={"slot": 0, "wait_seconds": 0})
    claim = claimed.json()
    during = scraped(client)
    finished = client.post(
        f"/api/v1/attempts/{claim['attempt']}/finish",
        json={"fence": claim["fence"], "state": "preempted"},
    )
    assert finished.status_code == 204, finished.text
    empty = client.post(f"/api/v1/workers/{worker}/claim", json={"slot": 1, "wait_seconds": 0})

    assert during["sevenstep_claims_total", labels()] == 1
    assert during["sevenstep_attempts", labels(state="running")] == 1
    assert during["sevenstep_workers", labels(state="busy")] == 1
    assert during["sevenstep_worker_slots", labels()] == 2
    after = scraped(client)
    assert after["sevenstep_claims_total", labels()] == 1 + (empty.status_code == 200)
    assert after["sevenstep_attempts_finished_total", labels(state="preempted")] == 1


def test_gauges_are_read_once_in_a_while() -> None:
    read: list[int] = []

    def count() -> Counts:
        read.append(1)
        return Counts({"running": len(read)}, {}, {}, {}, 0, 0.0, 0.0, 0)

    metrics = Metrics(count, cached_seconds=0.2)
    first, second = metrics.text(), metrics.text()
    assert first == second
    assert len(read) == 1
    time.sleep(0.25)
    assert metrics.text() != first
    assert len(read) == 2


def test_counts_are_those_of_the_database(bench: Bench) -> None:
    worker = bench.worker()
    study = bench.planned([2, 1], worker)
    held = bench.must_claim(worker)
    bench.points(held, block(0, 1.0, 0.5))
    with bench.database.read() as session:
        found = read_counts(session, bench.settings)

    assert found.studies["running"] == 1
    assert found.studies["failed"] == 0
    assert found.trials["waiting"] + found.trials["running"] == 3
    assert found.attempts["queued"] == 1
    assert found.attempts["running"] == 1
    assert set(found.attempts) == {state.value for state in repository.COUNTED_ATTEMPTS}
    assert AttemptState.SUCCEEDED.value not in found.attempts
    assert 0 < found.queue_age_seconds < 60
    assert 0 <= found.conductor_lag_seconds < 60
    assert found.slots == 64 * sum(found.workers[state] for state in ("busy", "idle", "late"))
    assert study


@pytest.mark.parametrize(
    "query",
    [
        repository.studies_by_state(),
        repository.open_trials_by_state(),
        repository.attempts_by_state(),
        repository.oldest_queued(),
        repository.oldest_beat(),
    ],
    ids=["studies", "trials", "attempts", "queued", "beat"],
)
def test_no_count_reads_a_whole_table(query: Select[object], sqlite_template: Path) -> None:
    engine = create_engine(f"sqlite:///{sqlite_template}")
    sql = str(query.compile(engine, compile_kwargs={"literal_binds": True}))
    with engine.connect() as connection:
        plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {sql}"))]
    engine.dispose()
    # Studies are few, and their index is walked; trials and attempts may be a million.
    scanned = [line for line in plan if line.startswith("SCAN")]
    assert all(line.startswith("SCAN study USING") for line in scanned), plan


def test_readiness_tells_of_a_conductor_that_hangs(tmp_path: Path, sqlite_template: Path) -> None:
    with served(tmp_path / "data", sqlite_template) as client:
        assert client.get("/readyz").json() == {"ready": True, "conductor": "here"}
        pulse = client.app.state.context.pulse  # type: ignore[attr-defined]
        assert pulse.is_alive
        pulse.beat = lambda: None  # it beats no more
        pulse._beat_at = time.monotonic() - STILL_SECONDS - 1
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["code"] == "conductor_still"
    with served(tmp_path / "other", sqlite_template, run_conductor=False) as client:
        assert client.get("/readyz").json() == {"ready": True, "conductor": "elsewhere"}


def test_a_conductor_s_file_tells_whether_it_lives(tmp_path: Path) -> None:
    file = pulse_file(tmp_path)
    assert not is_fresh(file)
    Pulse(file).beat()
    assert is_fresh(file)
    long_ago = time.time() - STILL_SECONDS - 1
    os.utime(file, (long_ago, long_ago))
    assert not is_fresh(file)
    Pulse(file).beat()
    assert is_fresh(file)
