"""Who asks too often waits; heartbeats and ends are never among those who do."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import httpx2
import pytest

from service.access import TokenScope
from service.settings import Settings
from service.web.rate_limit import (
    BURST_SECONDS,
    MAX_BUCKETS,
    Bucket,
    RateLimits,
    limits_of,
)
from tests.processes import serving
from tests.service_tests.served import Served, served


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limits(clock: Clock, **rates: float) -> RateLimits:
    return RateLimits({bucket: rates.get(bucket, 0.0) for bucket in Bucket}, clock=clock)


def test_a_bucket_holds_ten_seconds_and_fills_steadily(clock: Clock) -> None:
    buckets = limits(clock, requests=2.0)
    assert [buckets.take(Bucket.REQUESTS, "a") for _ in range(20)] == [0.0] * 20
    assert buckets.take(Bucket.REQUESTS, "a") == pytest.approx(0.5)
    clock.now += 0.5
    assert buckets.take(Bucket.REQUESTS, "a") == 0.0
    assert buckets.take(Bucket.REQUESTS, "a") > 0.0
    clock.now += 1000.0
    taken = 0
    while buckets.take(Bucket.REQUESTS, "a") == 0.0:
        taken += 1
    assert taken == 2.0 * BURST_SECONDS


def test_owners_and_kinds_are_counted_apart(clock: Clock) -> None:
    buckets = limits(clock, requests=0.1, points=0.1)
    assert buckets.take(Bucket.REQUESTS, "a") == 0.0
    assert buckets.take(Bucket.REQUESTS, "a") > 0.0
    assert buckets.take(Bucket.POINTS, "a") == 0.0
    assert buckets.take(Bucket.REQUESTS, "b") == 0.0


def test_zero_is_no_limit(clock: Clock) -> None:
    buckets = limits(clock)
    assert all(buckets.take(Bucket.REQUESTS, "a") == 0.0 for _ in range(10_000))
    assert len(buckets) == 0


def test_waiting_takes_nothing(clock: Clock) -> None:
    buckets = limits(clock, logins=0.1)
    assert [buckets.wait(Bucket.LOGINS, "a") for _ in range(50)] == [0.0] * 50


def test_the_memory_of_buckets_is_bounded(clock: Clock) -> None:
    buckets = limits(clock, requests=0.1)
    for number in range(3 * MAX_BUCKETS):
        buckets.take(Bucket.REQUESTS, str(number))
        clock.now += 0.001
    assert len(buckets) <= MAX_BUCKETS


def test_fifty_workers_behind_one_token_stay_below_the_defaults(clock: Clock) -> None:
    """Eight slots each: claims as one ends, heartbeats every ten seconds, for two minutes."""
    buckets = limits_of(Settings(data_dir=Path("/nonexistent")))
    buckets._clock = clock
    for _ in range(120):
        for _ in range(50):
            assert buckets.take(Bucket.HEARTBEATS, "worker") == 0.0
        for _ in range(80):  # of 400 slots, each with a new attempt every five seconds
            assert buckets.take(Bucket.CLAIMS, "worker") == 0.0
        clock.now += 1.0


@pytest.fixture
def strict(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    """One token has one request, one batch and one claim in ten seconds."""
    with _served(tmp_path, sqlite_template) as client:
        yield client


def _served(tmp_path: Path, template: Path) -> AbstractContextManager[Served]:
    return served(
        tmp_path / "data",
        template,
        run_conductor=False,
        max_requests_per_second=0.1,
        max_points_requests_per_second=0.1,
        max_claims_per_second=0.2,
        max_failed_logins_per_minute=18.0,
    )


def test_the_answer_says_when_to_come_back(strict: Served) -> None:
    assert strict.get("/api/v1/studies").status_code == 200
    answer = strict.get("/api/v1/studies")
    assert answer.status_code == 429
    assert answer.json()["code"] == "too_many_requests"
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    other = {"Authorization": f"Bearer {strict.token(TokenScope.READ)}"}
    assert strict.get("/api/v1/studies", headers=other).status_code == 200


def test_heartbeats_and_ends_pass_whatever_else_is_refused(strict: Served) -> None:
    assert strict.post("/api/v1/studies", json={"name": "n", "task": "digits"}).status_code == 201
    headers = {"Authorization": f"Bearer {strict.token(TokenScope.WORKER)}"}
    body = {"name": "w", "slots": 1, "version": "0"}
    worker = strict.post("/api/v1/workers/register", json=body, headers=headers).json()["worker"]
    claimed = strict.post(
        f"/api/v1/workers/{worker}/claim", json={"slot": 0, "wait_seconds": 0}, headers=headers
    ).json()
    again = strict.post(f"/api/v1/workers/{worker}/claim", json={"slot": 1}, headers=headers)
    assert again.status_code == 429
    own = {"Authorization": f"Bearer {claimed['token']}"}
    address = f"/api/v1/attempts/{claimed['attempt']}"
    fence = {"fence": claimed["fence"]}
    statuses = [
        strict.post(f"{address}/points", json=fence, headers=own).status_code for _ in range(20)
    ]
    assert statuses == [200] + [429] * 19
    for _ in range(100):
        path = f"/api/v1/workers/{worker}/heartbeat"
        assert strict.post(path, headers=headers).status_code == 204
        assert strict.post(f"{address}/heartbeat", json=fence, headers=own).status_code == 200
    end = {**fence, "state": "failed", "error": {"kind": "error", "message": "m"}}
    assert strict.post(f"{address}/finish", json=end, headers=own).status_code == 204


def test_an_address_that_guesses_has_to_wait_and_one_that_knows_has_not(strict: Served) -> None:
    token = strict.headers.pop("Authorization").removeprefix("Bearer ")
    for _ in range(10):
        good = strict.post("/login", content=f"token={token}", follow_redirects=False)
        assert good.status_code == 303
    for _ in range(3):
        assert strict.post("/login", content="token=svs_guess").status_code == 401
    answer = strict.get("/login?code=svsl_guess")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert strict.post("/login", content=f"token={token}").status_code == 429


def test_of_many_guesses_at_once_no_more_pass(strict: Served) -> None:
    del strict.headers["Authorization"]
    began = time.monotonic()
    with ThreadPoolExecutor(30) as pool:
        answers = list(
            pool.map(
                lambda _: strict.post("/login", content="token=svs_guess").status_code, range(30)
            )
        )
    refilled = 0.3 * (time.monotonic() - began)
    assert set(answers) == {401, 429}
    assert 3 <= answers.count(401) <= 3 + math.ceil(refilled)


@pytest.mark.parametrize(("trusted", "status"), [("[]", 429), ('["127.0.0.1"]', 401)])
def test_an_address_is_believed_of_trusted_proxies_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str, status: int
) -> None:
    monkeypatch.setenv("SEVENSTEP_MAX_FAILED_LOGINS_PER_MINUTE", "1")
    monkeypatch.setenv("SEVENSTEP_TRUSTED_PROXIES", trusted)
    with serving(tmp_path) as (_, file):
        for address, expected in (("192.0.2.1", 401), ("192.0.2.2", status)):
            answer = httpx2.post(
                f"{file.address}/login",
                content="token=svs_guess",
                headers={"X-Forwarded-For": address},
                trust_env=False,
            )
            assert answer.status_code == expected


def test_open_routes_are_not_counted(strict: Served) -> None:
    for _ in range(30):
        assert strict.get("/healthz").status_code == 200
