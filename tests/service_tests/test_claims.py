"""Claims: each attempt to one worker, and never lost with an answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from recipes.run import JobKind
from recipes.wire import AttemptState, HeartbeatRequest
from service.errors import Fenced, NotFound
from service.settings import Settings
from service.use_cases import attempts, studies
from tests.service_tests.support import Bench, outcome


def test_eight_threads_claim_two_hundred_jobs_once_each(bench: Bench) -> None:
    study = bench.planned([1] * 200)
    worker = bench.worker()
    claimed: list[str] = []
    barrier = threading.Barrier(8)

    def work(slot: int) -> None:
        barrier.wait()
        while claim := bench.claim(worker, slot):
            claimed.append(claim.attempt)
            request = HeartbeatRequest(fence=claim.fence)
            with bench.database.write() as session:
                attempts.heartbeat(session, claim.attempt, request, settings=patient)
            assert claim.job.run is not None
            bench.points(claim, outcomes=[outcome(m.trial) for m in claim.job.run.members])
            bench.finish(claim)

    patient = bench.settings.model_copy(update={"lease_seconds": 60.0})
    bench.settings = patient
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert len(claimed) == 200
    assert len(set(claimed)) == 200
    with bench.database.read() as session:
        assert studies.get(session, study).num_trials == 200
    rows = bench.dump()
    assert len(rows["attempt"]) == 201  # describe's too: no retry was made


def test_claims_come_in_the_order_of_the_plan(bench: Bench) -> None:
    bench.planned([1, 2, 1])
    worker = bench.worker()

    members = []
    for slot in range(3):
        run = bench.must_claim(worker, slot).job.run
        assert run is not None
        members.append([member.trial for member in run.members])

    assert members == [[0], [1, 2], [3]]
    assert bench.claim(worker, 3) is None


def test_an_answer_that_was_lost_is_given_again(bench: Bench) -> None:
    bench.planned([1, 1])
    worker = bench.worker()

    first = bench.must_claim(worker)
    again = bench.must_claim(worker)

    assert again.attempt == first.attempt
    assert again.job == first.job
    assert again.fence > first.fence
    with pytest.raises(Fenced):
        bench.points(first)
    assert bench.points(again) == 0


def test_what_a_slot_left_behind_is_lost_at_once(bench: Bench) -> None:
    bench.planned([1])
    worker = bench.worker()
    first = bench.must_claim(worker)
    bench.points(first)  # the attempt had begun

    second = bench.must_claim(worker)

    assert second.attempt != first.attempt
    assert second.job == first.job
    assert second.fence > first.fence
    with pytest.raises(Fenced):
        bench.finish(first)


def test_a_worker_that_said_goodbye_claims_nothing(bench: Bench, settings: Settings) -> None:
    from service.use_cases import workers

    bench.create()
    worker = bench.worker()
    with bench.database.write() as session:
        workers.goodbye(session, worker, settings=settings)

    with pytest.raises(NotFound):
        bench.claim(worker)


@pytest.mark.parametrize("uid", ["", "x", "0" * 16, "\x00" * 16, "'; --", "é" * 16])
def test_unknown_workers_claim_nothing(bench: Bench, uid: str) -> None:
    with pytest.raises(NotFound):
        bench.claim(uid)


def test_nothing_of_a_cancelled_study_is_handed_out(bench: Bench) -> None:
    study = bench.planned([1, 1])
    worker = bench.worker()
    running = bench.must_claim(worker)
    with bench.database.write() as session:
        assert studies.cancel(session, study).state.value == "cancelled"

    assert bench.claim(worker, 1) is None
    request = HeartbeatRequest(fence=running.fence)
    with bench.database.write() as session:
        answer = attempts.heartbeat(session, running.attempt, request, settings=bench.settings)
    assert answer.command == "stop"
    assert answer.drop == (0,)
    bench.finish(running, AttemptState.CANCELLED)
    assert bench.claim(worker, 1) is None  # no retry
    assert [row["state"] for row in bench.dump()["job"]] == ["complete", "cancelled", "cancelled"]


def test_claim_race_with_cancel_leaves_nothing_running(bench: Bench) -> None:
    worker = bench.worker()
    for _ in range(5):
        study = bench.planned([1] * 6, worker=worker)

        def cancel(study: str = study) -> None:
            with bench.database.write() as session:
                studies.cancel(session, study)

        with ThreadPoolExecutor(4) as pool:
            claims = [pool.submit(bench.claim, worker, slot) for slot in range(3)]
            pool.submit(cancel).result()
            taken = [claim for future in claims if (claim := future.result()) is not None]
        for claim in taken:
            bench.finish(claim, AttemptState.CANCELLED)
        assert bench.claim(worker, 9) is None


def test_describe_comes_without_a_run(bench: Bench) -> None:
    study = bench.create(task="digits", task_args={"size": 3})

    claim = bench.must_claim(bench.worker())

    assert claim.study == study
    assert claim.job.kind is JobKind.DESCRIBE
    assert claim.job.run is None
    assert claim.job.task.args == {"size": 3}
    assert claim.lease_seconds == bench.settings.lease_seconds
