"""What follows an ended attempt: another one, or the end of its members."""

from __future__ import annotations

import time

import pytest

from recipes.trial import TrialCause, TrialState
from recipes.wire import AttemptState, Claim, HeartbeatRequest
from service.conductor.reaper import reap
from service.errors import Fenced, InvalidInput
from service.use_cases import attempts, studies, trials, workers
from service.use_cases.artifacts import ArtifactStore, add
from service.views.models import TrialView
from tests.recipes_tests.builders import description
from tests.service_tests.support import Bench, block, outcome


def trial(bench: Bench, study: str, number: int = 0) -> TrialView:
    with bench.database.read() as session:
        return trials.get_trial(session, study, number)


def members(claim: Claim) -> list[int]:
    assert claim.job.run is not None
    return [member.trial for member in claim.job.run.members]


@pytest.mark.parametrize("state", [AttemptState.PREEMPTED, AttemptState.CANCELLED])
def test_what_was_preempted_goes_on_elsewhere(bench: Bench, state: AttemptState) -> None:
    study = bench.planned([2])
    worker = bench.worker()
    first = bench.must_claim(worker)
    bench.points(first, block(0, 2.0, 1.0), outcomes=[outcome(0)])
    bench.finish(first, state)

    second = bench.must_claim(worker)

    assert members(second) == [1]  # the other one keeps its result
    assert second.fence > first.fence
    assert trial(bench, study, 0).state is TrialState.COMPLETE
    assert trial(bench, study, 1).state is TrialState.RUNNING
    assert [a.number for a in trial(bench, study, 1).attempts] == [1, 2]


def test_nothing_is_left_to_retry_when_all_members_ended(bench: Bench) -> None:
    bench.planned([2])
    worker = bench.worker()
    claim = bench.must_claim(worker)
    bench.points(claim, outcomes=[outcome(0), outcome(1)])
    bench.finish(claim, AttemptState.PREEMPTED)

    assert bench.claim(worker) is None


def test_success_without_an_outcome_is_a_failure(bench: Bench) -> None:
    study = bench.planned([2])
    claim = bench.must_claim(bench.worker())
    bench.points(claim, block(1, 3.0, 2.0, 1.0), outcomes=[outcome(0)])
    bench.finish(claim)

    left = trial(bench, study, 1)
    assert trial(bench, study, 0).state is TrialState.COMPLETE
    assert (left.state, left.cause) == (TrialState.FAILED, TrialCause.ERROR)
    assert left.message == "the attempt ended without its outcome"
    assert left.iterations == 2


@pytest.mark.parametrize("kind", ["error", "out_of_memory"])
def test_an_error_is_not_tried_again(bench: Bench, kind: str) -> None:
    study = bench.planned([1])
    worker = bench.worker()
    claim = bench.must_claim(worker)
    error = {"kind": kind, "message": "bad\x00news", "traceback": "line 1\x00"}
    bench.finish(claim, AttemptState.FAILED, error=error)

    view = trial(bench, study)
    assert (view.state, view.cause) == (TrialState.FAILED, TrialCause(kind))
    assert view.attempts[0].error == "bad\\x00news"
    assert view.attempts[0].traceback == "line 1\\x00"
    assert bench.claim(worker) is None


def test_a_crash_is_tried_again_a_few_times(bench: Bench) -> None:
    study = bench.planned([1])
    worker = bench.worker()
    error = {"kind": "crashed", "message": "killed by signal 11"}
    for _ in range(bench.settings.max_attempt_failures):
        bench.finish(bench.must_claim(worker), AttemptState.FAILED, error=error)

    assert bench.claim(worker) is None
    view = trial(bench, study)
    assert (view.state, view.cause) == (TrialState.FAILED, TrialCause.LOST)
    assert view.message == "crashed 3 times: killed by signal 11"


def test_losses_have_an_end_too(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(update={"max_lost_attempts": 2})
    study = bench.planned([1])
    worker = bench.worker()
    for _ in range(3):
        bench.finish(bench.must_claim(worker), AttemptState.PREEMPTED)  # these count for nothing
    for _ in range(2):
        claim = bench.must_claim(worker)
        with bench.database.write() as session:
            attempts.lose(
                session,
                claim.attempt,
                cause="lease_expired",
                settings=bench.settings,
                expired_only=False,
            )

    assert bench.claim(worker) is None
    assert trial(bench, study).cause is TrialCause.LOST


def give_time(bench: Bench, *, lease_seconds: float) -> None:
    """A lease that a busy machine does not let run out by itself."""
    bench.settings = bench.settings.model_copy(update={"lease_seconds": lease_seconds})


def test_a_silent_worker_loses_its_attempt(bench: Bench) -> None:
    give_time(bench, lease_seconds=1.5)
    study = bench.planned([2])
    silent, other = bench.worker("silent"), bench.worker("other")
    zombie = bench.must_claim(silent)
    bench.points(zombie, block(0, 1.0), outcomes=[outcome(0)])
    assert reap(bench.database, settings=bench.settings) == 0
    time.sleep(bench.settings.lease_seconds + 0.05)

    assert reap(bench.database, settings=bench.settings) == 1
    assert reap(bench.database, settings=bench.settings) == 0

    heir = bench.must_claim(other)
    assert members(heir) == [1]
    before = bench.dump()
    with pytest.raises(Fenced):
        bench.points(zombie, block(1, 1.0), outcomes=[outcome(1)])
    with pytest.raises(Fenced):
        bench.finish(zombie)
    assert bench.dump() == before
    assert trial(bench, study, 0).state is TrialState.COMPLETE


def test_a_heartbeat_keeps_the_lease(bench: Bench) -> None:
    give_time(bench, lease_seconds=1.5)
    bench.planned([1])
    claim = bench.must_claim(bench.worker())
    for _ in range(3):
        time.sleep(bench.settings.lease_seconds / 2)
        with bench.database.write() as session:
            answer = attempts.heartbeat(
                session,
                claim.attempt,
                HeartbeatRequest(fence=claim.fence),
                settings=bench.settings,
            )
        assert answer.command == "continue"
        assert reap(bench.database, settings=bench.settings) == 0


def test_goodbye_hands_everything_on_at_once(bench: Bench) -> None:
    bench.planned([1, 1])
    leaving = bench.worker("local")
    held = [bench.must_claim(leaving, slot) for slot in range(2)]
    with bench.database.write() as session:
        assert workers.goodbye_named(session, "local", settings=bench.settings) == 1

    other = bench.worker()
    assert [bench.must_claim(other, slot).job for slot in range(2)] == [c.job for c in held]
    with pytest.raises(Fenced):
        bench.points(held[0])


def test_the_newest_checkpoint_is_where_the_next_attempt_goes_on(bench: Bench) -> None:
    study = bench.planned([2])
    store = ArtifactStore(bench.settings.artifacts_dir)
    worker = bench.worker()
    first = bench.must_claim(worker)

    def checkpoint(claim: Claim, epoch: int, content: bytes) -> str:
        with bench.database.write() as session:
            return add(
                session,
                claim.attempt,
                fence=claim.fence,
                trial=0,
                epoch=epoch,
                iteration=10 * epoch,
                file=store.put(content),
                store=store,
            ).artifact

    bench.points(first, block(0, *(float(n) for n in range(25))))
    checkpoint(first, 1, b"one")
    newest = checkpoint(first, 2, b"two")
    bench.finish(first, AttemptState.PREEMPTED)
    second = bench.must_claim(worker)

    (resume,) = second.resume
    assert (resume.trial, resume.epoch, resume.iteration) == (0, 2, 20)
    assert resume.artifact == newest
    assert members(second) == [0, 1]
    again = bench.must_claim(worker)  # the answer was lost
    assert again.resume == second.resume
    bench.points(again, block(0, 100.0, 101.0, first=20))
    with bench.database.read() as session:
        (curve,) = trials.curves(session, study, 0).curves
    assert curve.iterations == tuple(range(22))
    assert curve.values == (*map(float, range(20)), 100.0, 101.0)

    bench.finish(again, AttemptState.PREEMPTED)
    third = bench.must_claim(worker)
    assert third.resume == second.resume
    with bench.database.read() as session:
        (curve,) = trials.curves(session, study, 0).curves
    assert curve.iterations == tuple(range(21))


def test_an_attempt_from_the_beginning_leaves_nothing_of_the_one_before(bench: Bench) -> None:
    study = bench.planned([1])
    worker = bench.worker()
    first = bench.must_claim(worker)
    bench.points(first, block(0, 3.0, 2.0, 1.0))
    bench.finish(first, AttemptState.PREEMPTED)
    second = bench.must_claim(worker)
    bench.points(second, block(0, 9.0))

    with bench.database.read() as session:
        (curve,) = trials.curves(session, study, 0).curves
    assert curve.values == (9.0,)


def test_a_task_that_does_not_load_fails_its_study(bench: Bench) -> None:
    study = bench.create()
    problem = {
        "message": "no class there",
        "file": "/t.py",
        "line": 3,
        "cure": "name it",
        "traceback": None,
    }
    error = {"kind": "task", "message": "no class there", "problem": problem}
    claim = bench.must_claim(bench.worker())
    bench.finish(claim, AttemptState.FAILED, error=error)
    bench.finish(claim, AttemptState.FAILED, error=error)

    with bench.database.read() as session:
        view = studies.get(session, study)
    assert view.state.value == "failed"
    assert view.reason == "no class there"
    assert view.problem is not None
    assert view.problem.line == 3
    assert view.finished_at is not None


def test_a_describe_that_crashes_on_and_on_fails_its_study(bench: Bench) -> None:
    study = bench.create()
    worker = bench.worker()
    error = {"kind": "crashed", "message": "exit 3"}
    for _ in range(bench.settings.max_attempt_failures):
        bench.finish(bench.must_claim(worker), AttemptState.FAILED, error=error)

    with bench.database.read() as session:
        view = studies.get(session, study)
    assert view.state.value == "failed"
    assert view.reason == "describe failed: crashed 3 times: exit 3"


def test_descriptions_belong_to_describe_jobs(bench: Bench) -> None:
    bench.planned([1])
    claim = bench.must_claim(bench.worker())
    with pytest.raises(InvalidInput, match="description"):
        bench.finish(claim, description=description())
    bench.create()
    with pytest.raises(InvalidInput, match="description"):
        bench.finish(bench.must_claim(bench.worker(), 1))
