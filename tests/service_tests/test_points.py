"""Curve points and outcomes: once each, whatever is sent twice."""

from __future__ import annotations

import math

import pytest

from recipes.trial import TrialCause, TrialState
from recipes.wire import AttemptState, Claim, HeartbeatRequest
from service.errors import ConflictingPoints, Fenced, InvalidInput, NotFound
from service.use_cases import attempts, trials
from tests.service_tests.support import Bench, block, outcome


@pytest.fixture
def study(bench: Bench) -> str:
    return bench.planned([2])


@pytest.fixture
def claim(bench: Bench, study: str) -> Claim:
    return bench.must_claim(bench.worker())


def values(bench: Bench, study: str, trial: int = 0) -> tuple[float, ...]:
    with bench.database.read() as session:
        view = trials.curves(session, study, trial)
    return view.curves[0].values if view.curves else ()


def test_points_are_counted_once(bench: Bench, study: str, claim: Claim) -> None:
    assert bench.points(claim, block(0, 4.0, 3.0), block(1, 9.0)) == 3
    assert bench.points(claim, block(0, 4.0, 3.0), block(1, 9.0)) == 0
    assert bench.points(claim, block(0, 3.0, 2.0, first=1)) == 1

    assert values(bench, study) == (4.0, 3.0, 2.0)
    assert values(bench, study, 1) == (9.0,)


def test_numbers_come_back_as_they_were(bench: Bench, study: str, claim: Claim) -> None:
    numbers = (math.nan, math.inf, -math.inf, 0.1 + 0.2, 5e-324, 0.0, 1.7976931348623157e308)
    assert bench.points(claim, block(0, *numbers)) == len(numbers)
    assert bench.points(claim, block(0, *numbers)) == 0

    found = values(bench, study)
    assert list(map(repr, found)) == list(map(repr, numbers))


@pytest.mark.parametrize("other", [2.0, math.nan, math.inf])
def test_another_value_is_refused_with_all_beside_it(
    bench: Bench, claim: Claim, other: float, caplog: pytest.LogCaptureFixture
) -> None:
    bench.points(claim, block(0, 1.0))
    before = bench.dump()

    with pytest.raises(ConflictingPoints, match=r"loss/train at iteration 0 is 1\.0"):
        bench.points(claim, block(1, 5.0), block(0, other), outcomes=[outcome(0)])

    assert bench.dump() == before
    assert "conflicting points" in caplog.text


def test_two_values_in_one_request_are_refused(bench: Bench, claim: Claim) -> None:
    with pytest.raises(ConflictingPoints):
        bench.points(claim, block(0, 1.0), block(0, 2.0))


def test_a_stale_fence_writes_nothing(bench: Bench, claim: Claim) -> None:
    before = bench.dump()
    stale = claim.model_copy(update={"fence": claim.fence - 1})
    request = HeartbeatRequest(fence=stale.fence)

    with pytest.raises(Fenced):
        bench.points(stale, block(0, 1.0), outcomes=[outcome(0)])
    with pytest.raises(Fenced):
        bench.finish(stale)
    with pytest.raises(Fenced), bench.database.write() as session:
        attempts.heartbeat(session, stale.attempt, request, settings=bench.settings)

    assert bench.dump() == before


def test_an_ended_attempt_writes_nothing(bench: Bench, claim: Claim) -> None:
    bench.points(claim, outcomes=[outcome(0), outcome(1)])
    bench.finish(claim)
    before = bench.dump()

    bench.finish(claim)  # the same again is well
    with pytest.raises(Fenced):
        bench.finish(claim, AttemptState.PREEMPTED)
    with pytest.raises(Fenced):
        bench.points(claim, block(0, 1.0))

    assert bench.dump() == before


def test_the_first_outcome_stays(bench: Bench, study: str, claim: Claim) -> None:
    diverged = outcome(0, cause=TrialCause.DIVERGED)
    bench.points(claim, outcomes=[diverged])
    bench.points(claim, outcomes=[outcome(0, TrialState.FAILED, TrialCause.ERROR)])

    with bench.database.read() as session:
        trial = trials.get_trial(session, study, 0)
    assert (trial.state, trial.cause) == (TrialState.COMPLETE, TrialCause.DIVERGED)
    assert trial.ended_at is not None


def test_the_end_brings_the_last_points_and_outcomes_once(
    bench: Bench, study: str, claim: Claim
) -> None:
    bench.points(claim, block(0, 4.0))
    last = {
        "blocks": [block(0, 3.0, first=1), block(1, 9.0)],
        "outcomes": [outcome(0), outcome(1)],
    }
    bench.finish(claim, **last)
    ended = bench.dump()
    bench.finish(claim, **last)

    assert bench.dump() == ended
    assert values(bench, study) == (4.0, 3.0)
    assert values(bench, study, 1) == (9.0,)
    with bench.database.read() as session:
        found = [trials.get_trial(session, study, number) for number in (0, 1)]
    assert {trial.state for trial in found} == {TrialState.COMPLETE}


def test_an_end_with_a_point_that_conflicts_ends_nothing(bench: Bench, claim: Claim) -> None:
    bench.points(claim, block(0, 1.0))
    before = bench.dump()
    with pytest.raises(ConflictingPoints):
        bench.finish(claim, blocks=[block(0, 2.0)], outcomes=[outcome(0)])
    assert bench.dump() == before


def test_only_members_are_written_for(bench: Bench, claim: Claim) -> None:
    before = bench.dump()
    with pytest.raises(InvalidInput, match=r"trial: 7 does not fit; .* members are 0, 1"):
        bench.points(claim, outcomes=[outcome(7)])
    with pytest.raises(InvalidInput):
        bench.points(claim, block(0, 1.0), block(7, 1.0))
    with pytest.raises(InvalidInput, match="an outcome is an end"):
        bench.points(claim, outcomes=[outcome(0, TrialState.RUNNING)])
    assert bench.dump() == before


@pytest.mark.parametrize("metric", ["", "m" * 257, "a\x00b"])
def test_metrics_have_names_that_every_database_takes(
    bench: Bench, claim: Claim, metric: str
) -> None:
    with pytest.raises(InvalidInput, match="metric"):
        bench.points(claim, block(0, 1.0, metric=metric))


@pytest.mark.parametrize("uid", ["", "0" * 16, "\x00", "../../etc"])
def test_unknown_attempts_are_not_found(bench: Bench, claim: Claim, uid: str) -> None:
    with pytest.raises(NotFound):
        bench.points(claim.model_copy(update={"attempt": uid}))


def test_many_points_in_one_request(bench: Bench, study: str, claim: Claim) -> None:
    blocks = [block(0, *([0.5] * 1000), metric=f"update_ratio/{n}") for n in range(5)]
    assert bench.points(claim, *blocks) == 5000
    assert bench.points(claim, *blocks) == 0


def test_a_failed_commit_leaves_no_half(bench: Bench, claim: Claim) -> None:
    """Killed between the points and the commit: nothing of the request is there."""
    from recipes.wire import PointsRequest

    before = bench.dump()
    request = PointsRequest(fence=claim.fence, blocks=(block(0, 1.0),), outcomes=(outcome(0),))

    def die_before_the_commit() -> None:
        with bench.database.write() as session:
            attempts.points(session, claim.attempt, request)
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        die_before_the_commit()
    assert bench.dump() == before
    assert bench.points(claim, *request.blocks, outcomes=request.outcomes) == 1
