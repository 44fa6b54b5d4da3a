"""Requests for points that share a commit: each has its own answer, and the effect of once."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.exc import OperationalError

from recipes.curve import CurveBlock
from recipes.trial import TrialState
from recipes.wire import Claim, PointsAnswer, PointsRequest
from service.database.engine import Database
from service.errors import ConflictingPoints, Fenced, InvalidInput, NotFound
from service.metrics import Metrics
from service.settings import Settings
from service.streams.events import study_topic
from service.use_cases import attempts, trials
from service.use_cases.counts import Counts
from service.web.points_writer import MAX_REQUESTS, PointsWriter
from tests.processes import serving
from tests.service_tests.support import Bench, block, outcome
from tests.service_tests.test_statements import counted

Answers = list[PointsAnswer | BaseException]


@pytest.fixture
def study(bench: Bench) -> str:
    return bench.planned([1] * 8)


@pytest.fixture
def claims(bench: Bench, study: str) -> list[Claim]:
    worker = bench.worker()
    return [bench.must_claim(worker, slot) for slot in range(8)]


def no_counts() -> Counts:
    raise AssertionError("nobody scrapes here")


def write(bench: Bench, *sent: tuple[str, PointsRequest]) -> Answers:
    """Have requests that come at one moment written: one group, as long as they fit in."""

    async def all_of_them() -> Answers:
        writer = PointsWriter(bench.database, Metrics(no_counts))
        return await asyncio.gather(
            *(writer.add(attempt, request) for attempt, request in sent), return_exceptions=True
        )

    return asyncio.run(all_of_them())


def sent(claim: Claim, *blocks: CurveBlock, fence: int | None = None) -> tuple[str, PointsRequest]:
    request = PointsRequest(fence=claim.fence if fence is None else fence, blocks=blocks)
    return claim.attempt, request


def first_trial(claim: Claim) -> int:
    assert claim.job.run is not None
    return claim.job.run.members[0].trial


def own(claim: Claim, *values: float, first: int = 0) -> CurveBlock:
    return block(first_trial(claim), *values, first=first)


def values(bench: Bench, study: str, claim: Claim) -> tuple[float, ...]:
    with bench.database.read() as session:
        view = trials.curves(session, study, first_trial(claim))
    return view.curves[0].values if view.curves else ()


def accepted(answers: Sequence[PointsAnswer | BaseException]) -> list[int]:
    return [each.accepted if isinstance(each, PointsAnswer) else -1 for each in answers]


def test_requests_of_one_moment_share_a_transaction(
    bench: Bench, study: str, claims: list[Claim]
) -> None:
    with counted() as statements:
        answers = write(bench, *(sent(each, own(each, 2.0, 1.0)) for each in claims))

    assert accepted(answers) == [2] * 8
    assert all(values(bench, study, each) == (2.0, 1.0) for each in claims)
    told = [each for each in statements if each.startswith("INSERT INTO event")]
    assert len(told) == 1


def test_what_waits_is_told_of_after_the_commit(
    bench: Bench, study: str, claims: list[Claim]
) -> None:
    seen = bench.database.hub.version(study_topic(study))
    write(bench, *(sent(each, own(each, 1.0)) for each in claims))
    assert bench.database.hub.version(study_topic(study)) == seen + 1


@pytest.mark.parametrize("bad", ["fence", "trial", "value", "attempt"])
def test_a_bad_request_takes_no_others_along(
    bench: Bench, study: str, claims: list[Claim], bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third = claims[:3]
    write(bench, sent(second, own(second, 1.0)))
    wrong, error = {
        "fence": (sent(second, own(second, 5.0, first=1), fence=second.fence + 1), Fenced),
        "trial": (sent(second, own(first, 5.0)), InvalidInput),
        "value": (sent(second, own(second, 9.0, 5.0)), ConflictingPoints),
        "attempt": (("a" * 16, PointsRequest(fence=1)), NotFound),
    }[bad]

    answers = write(bench, sent(first, own(first, 1.0)), wrong, sent(third, own(third, 2.0)))

    assert accepted(answers) == [1, -1, 1]
    assert isinstance(answers[1], error)
    assert values(bench, study, first) == (1.0,)
    assert values(bench, study, second) == (1.0,)
    assert values(bench, study, third) == (2.0,)
    assert caplog.text.count("conflicting points") == (bad == "value")


def test_a_batch_that_comes_again_at_the_same_moment_counts_once(
    bench: Bench, study: str, claims: list[Claim]
) -> None:
    numbers = (1.0, math.nan, math.inf)
    batch = sent(claims[0], own(claims[0], *numbers))
    longer = sent(claims[0], own(claims[0], *numbers, 4.0))

    assert sorted(accepted(write(bench, batch, batch, longer, batch))) == [0, 0, 1, 3]
    assert accepted(write(bench, longer, batch)) == [0, 0]
    assert repr(values(bench, study, claims[0])) == repr((*numbers, 4.0))


def test_the_first_outcome_of_a_group_stays(bench: Bench, study: str, claims: list[Claim]) -> None:
    claim = claims[0]
    trial = first_trial(claim)
    requests = [
        PointsRequest(fence=claim.fence, outcomes=(outcome(trial, seconds=seconds),))
        for seconds in (0.25, 0.5)
    ]
    write(bench, *((claim.attempt, request) for request in requests))

    with bench.database.read() as session:
        found = trials.get_trial(session, study, trial)
    assert (found.state, found.seconds) == (TrialState.COMPLETE, 0.25)


def test_more_than_fit_go_in_turn(bench: Bench, study: str, claims: list[Claim]) -> None:
    claim = claims[0]
    count = 2 * MAX_REQUESTS + 1
    batches = [sent(claim, own(claim, float(number), first=number)) for number in range(count)]

    assert accepted(write(bench, *batches)) == [1] * count
    assert values(bench, study, claim) == tuple(map(float, range(count)))


def test_one_that_was_given_up_keeps_nobody_waiting(bench: Bench, claims: list[Claim]) -> None:
    async def give_one_up() -> tuple[PointsAnswer, bool]:
        writer = PointsWriter(bench.database, Metrics(no_counts))
        adding = [
            asyncio.create_task(writer.add(*sent(claim, own(claim, 1.0)))) for claim in claims[:2]
        ]
        await asyncio.sleep(0)
        adding[0].cancel()
        answer = await adding[1]
        return answer, adding[0].cancelled()

    assert asyncio.run(give_one_up()) == (PointsAnswer(accepted=1), True)


def test_a_database_that_is_away_is_said_to_all(
    bench: Bench, claims: list[Claim], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def away() -> None:
        tries.append(1)
        raise OperationalError("BEGIN", {}, Exception("away"))

    monkeypatch.setattr(bench.database, "write", away)
    answers = write(bench, *(sent(each, own(each, 1.0)) for each in claims[:3]))
    assert [type(each) for each in answers] == [OperationalError] * 3
    assert len(tries) == 1


def test_killed_after_a_commit_nothing_is_lost_or_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service dies between a commit of several requests and their answers; all send again."""
    settings = Settings(data_dir=tmp_path)
    database = Database(settings.resolved_database_url)
    database.upgrade()
    bench = Bench(database, settings)
    study = bench.planned([1] * 4)
    worker = bench.worker()
    claims = [bench.must_claim(worker, slot) for slot in range(4)]
    monkeypatch.setenv("SEVENSTEP_FAILPOINT", f"points.after_commit@{tmp_path / 'marker'}@5")

    left = {claim.attempt: list(range(20)) for claim in claims}
    for life in range(2):
        with serving(tmp_path) as (process, file), ThreadPoolExecutor(4) as threads:
            numbers = threads.map(
                partial(unanswered, file.address), claims, [left[each.attempt] for each in claims]
            )
            left = {claim.attempt: rest for claim, rest in zip(claims, numbers, strict=True)}
            if life == 0:
                process.wait(20)
                assert any(left.values())
    assert not any(left.values())
    for claim in claims:
        assert values(bench, study, claim) == tuple(number / 2 for number in range(20))
    database.dispose()


def unanswered(address: str, claim: Claim, numbers: Sequence[int]) -> list[int]:
    """Send a point for each number, in turn; those that no answer came for."""
    headers = {"Authorization": f"Bearer {claim.token}"}
    with httpx2.Client(base_url=f"{address}/api/v1", headers=headers) as client:
        for index, number in enumerate(numbers):
            _, request = sent(claim, own(claim, number / 2, first=number))
            body = request.model_dump(mode="json")
            try:
                client.post(f"/attempts/{claim.attempt}/points", json=body).raise_for_status()
            except httpx2.TransportError:
                return list(numbers[index:])
    return []


def test_one_use_case_writes_one_request_and_many(bench: Bench, claims: list[Claim]) -> None:
    """What a caller without the service does is what the service does."""
    request = PointsRequest(fence=claims[0].fence, blocks=(own(claims[0], 1.0),))
    with bench.database.write() as session:
        assert attempts.points(session, claims[0].attempt, request).accepted == 1
    assert accepted(write(bench, (claims[0].attempt, request))) == [0]
