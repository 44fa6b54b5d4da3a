"""What the use cases answer: lists, pages, workers, steps, events."""

from __future__ import annotations

import time

import pytest

from recipes.step import StepKind, StepState
from recipes.study import StudyState
from recipes.trial import TrialState
from recipes.wire import WorkerState
from service.errors import InvalidInput, InvalidState, NotFound
from service.streams import events
from service.use_cases import studies, trials, workers
from tests.service_tests.support import Bench, PlainStep, outcome, recipe


def test_studies_come_newest_first_in_pages(bench: Bench) -> None:
    names = [f"study {number}" for number in range(5)]
    for name in names:
        bench.create(name=name)

    found = []
    cursor = None
    with bench.database.read() as session:
        while True:
            page = studies.list_studies(session, limit=2, cursor=cursor)
            found.append([item.name for item in page.items])
            cursor = page.next_cursor
            if cursor is None:
                break
        assert studies.list_studies(session, state=StudyState.FAILED).items == ()
    assert found == [["study 4", "study 3"], ["study 2", "study 1"], ["study 0"]]


@pytest.mark.parametrize("cursor", ["x", "dHJpYWxzOjE", "é", "c3R1ZGllczotMQ", "=" * 9])
def test_foreign_cursors_are_refused(bench: Bench, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"), bench.database.read() as session:
        studies.list_studies(session, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_sizes_of_pages_have_bounds(bench: Bench, limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit"), bench.database.read() as session:
        studies.list_studies(session, limit=limit)


def test_a_study_tells_what_it_does_now(bench: Bench) -> None:
    study = bench.planned([4])
    claim = bench.must_claim(bench.worker())
    bench.points(claim, outcomes=[outcome(0)])

    with bench.database.read() as session:
        view = studies.get(session, study)
        summary = studies.list_studies(session).items[0]
    assert view.state is StudyState.RUNNING
    assert view.current is not None
    assert (view.current.done, view.current.total) == (1, 4)
    assert view.current.progress == 0.25
    assert view.current.sentence == summary.sentence == "4 trials of initial_loss"
    assert view.space is not None
    assert list(view.space) == ["lr", "weight_decay", "hidden"]
    assert view.planned_steps == (1, 2, 3, 4, 5, 6, 7)


def test_trials_by_step_state_and_page(bench: Bench) -> None:
    study = bench.planned([4])
    claim = bench.must_claim(bench.worker())
    bench.points(claim, outcomes=[outcome(0), outcome(3)])

    with bench.database.read() as session:
        done = trials.list_trials(session, study, state=TrialState.COMPLETE)
        assert [item.number for item in done.items] == [0, 3]
        assert trials.list_trials(session, study, step=2).items == ()
        page = trials.list_trials(session, study, step=1, limit=3)
        assert [item.number for item in page.items] == [0, 1, 2]
        page = trials.list_trials(session, study, cursor=page.next_cursor)
        assert [item.number for item in page.items] == [3]
        assert page.next_cursor is None
        for number in (-1, 4, 2**70):
            with pytest.raises(NotFound):
                trials.get_trial(session, study, number)


def test_steps_and_their_passes(bench: Bench) -> None:
    steps = recipe(PlainStep(StepKind.INITIAL_LOSS))
    study = bench.create(steps=(1,))
    worker = bench.worker()
    bench.describe(worker)
    bench.advance(study, steps)
    with bench.database.read() as session:
        running = studies.step(session, study, 1)
    assert running.state is StepState.RUNNING
    claim = bench.must_claim(worker)
    bench.points(claim, outcomes=[outcome(0)])
    bench.advance(study, steps)

    with bench.database.read() as session:
        judged = studies.step(session, study, 1, round=1, pass_number=1)
        with pytest.raises(NotFound):
            studies.step(session, study, 1, round=2)
        assert studies.steps(session, study) == [judged]
    assert judged.state is StepState.PASSED
    assert judged.started_at == running.started_at
    assert judged.finished_at is not None


def test_cancelling_twice_is_well_and_after_the_end_is_not(bench: Bench) -> None:
    study = bench.planned([2])
    with bench.database.write() as session:
        first = studies.cancel(session, study)
    with bench.database.write() as session:
        second = studies.cancel(session, study)
    assert first == second
    assert first.state is StudyState.CANCELLED
    with bench.database.read() as session:
        states = {item.state for item in trials.list_trials(session, study).items}
    assert states == {TrialState.CANCELLED}

    other = bench.create(set={"nonsense": 1})
    bench.describe(bench.worker())
    bench.advance(other)
    with pytest.raises(InvalidState, match="failed"), bench.database.write() as session:
        studies.cancel(session, other)


def test_events_tell_what_happened(bench: Bench) -> None:
    study = bench.planned([1])
    claim = bench.must_claim(bench.worker())
    bench.points(claim, outcomes=[outcome(0)])
    bench.finish(claim)

    with bench.database.read() as session:
        found = events.since(session, study, 0)
        assert events.since(session, study, found[-1].sequence) == []
        with pytest.raises(NotFound):
            events.since(session, "0" * 16, 0)
    assert [(event.kind, event.payload) for event in found] == [
        ("study", {"state": "pending"}),
        ("study", {"state": "pending"}),  # described
        ("step", {"number": 1, "round": 1, "pass": 1, "state": "running"}),
        ("study", {"state": "running"}),
        ("trial", {"numbers": [0]}),
        ("trial", {"numbers": [0]}),
    ]


def test_workers_are_known_by_their_heartbeats(bench: Bench) -> None:
    def states() -> dict[str, WorkerState]:
        with bench.database.read() as session:
            found = workers.list_workers(session, settings=bench.settings)
        return {view.name: view.state for view in found}

    bench.create()
    names = {name: bench.worker(name) for name in ("busy", "idle", "gone")}
    bench.must_claim(names["busy"])
    with bench.database.write() as session:
        workers.goodbye(session, names["gone"], settings=bench.settings)
    assert states() == {
        "busy": WorkerState.BUSY,
        "idle": WorkerState.IDLE,
        "gone": WorkerState.GONE,
    }
    time.sleep(2.5 * bench.settings.heartbeat_seconds)
    assert states()["idle"] is WorkerState.LATE
    time.sleep(bench.settings.lease_seconds)
    assert states()["idle"] is WorkerState.LOST
    with bench.database.write() as session:  # whoever started it saw it dead
        assert workers.goodbye_named(session, "busy", settings=bench.settings) == 1
    assert states()["busy"] is WorkerState.LOST
    assert states()["gone"] is WorkerState.GONE
    with bench.database.write() as session:
        workers.heartbeat(session, names["idle"])
        with pytest.raises(NotFound):
            workers.heartbeat(session, names["gone"])
    assert states()["idle"] is WorkerState.IDLE
