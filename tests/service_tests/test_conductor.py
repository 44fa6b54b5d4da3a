"""The conductor carries a study through its steps, whatever interrupts it."""

from __future__ import annotations

import threading
import time

import pytest

from recipes.step import StepKind, StepState
from recipes.study import StudyState
from service.conductor.advance import advance
from service.conductor.conductor import Conductor
from service.conductor.recipe import Recipe
from service.database.engine import Database
from service.dispatch.scripted import ScriptedDispatcher
from service.use_cases import studies, trials
from service.views.models import StudyReport, StudyView
from service.views.reports import comparable
from tests.service_tests.support import ONE_STEP, Bench, Falling, PlainStep, recipe

THREE_STEPS = recipe(
    PlainStep(StepKind.INITIAL_LOSS, jobs=(3,)),
    PlainStep(StepKind.OVERFIT_SAMPLE, jobs=(1, 1), generations=2),
    PlainStep(StepKind.LR_FINDER, jobs=(2, 1)),
)


def conductor(bench: Bench, steps: Recipe) -> Conductor:
    scripted = ScriptedDispatcher(bench.database, Falling(), settings=bench.settings)
    return Conductor(bench.database, settings=bench.settings, dispatcher=scripted, recipe=steps)


def conduct(bench: Bench, study: str, steps: Recipe) -> StudyView:
    conducting = conductor(bench, steps)
    for _ in range(50):
        conducting.look()
        with bench.database.read() as session:
            view = studies.get(session, study)
        if view.state not in (StudyState.PENDING, StudyState.RUNNING):
            return view
    raise AssertionError(f"the study did not end: {view}")


def wait_until_ended(database: Database, names: list[str]) -> set[StudyState]:
    deadline = time.monotonic() + 30
    states: set[StudyState] = set()
    while time.monotonic() < deadline and not (states and all(s.has_ended for s in states)):
        time.sleep(0.05)
        with database.read() as session:
            states = {studies.get(session, name).state for name in names}
    return states


def report(database: Database, study: str) -> StudyReport:
    with database.read() as session:
        return studies.report(session, study)


def test_study_goes_through_its_steps(bench: Bench) -> None:
    study = bench.create()

    view = conduct(bench, study, THREE_STEPS)

    assert view.state is StudyState.COMPLETED
    assert view.reason == "finished"
    assert [step.number for step in view.steps] == [1, 2, 3]
    assert {step.state for step in view.steps} == {StepState.PASSED}
    assert view.num_trials == 3 + 4 + 3
    assert view.started_at is not None
    assert view.finished_at is not None
    whole = report(bench.database, study)
    assert [trial.number for trial in whole.trials] == list(range(10))
    assert [trial.step for trial in whole.trials] == [1] * 3 + [2] * 4 + [3] * 3
    assert whole.steps[0].evidence["mean_loss"] == pytest.approx((10 + 20 + 30) / 3 / 16)


def test_two_studies_of_one_seed_are_equal(bench: Bench) -> None:
    first, second = bench.create(name="one"), bench.create(name="two")
    conduct(bench, first, THREE_STEPS)
    conduct(bench, second, THREE_STEPS)

    one, two = report(bench.database, first), report(bench.database, second)

    assert one.id != two.id
    assert comparable(one) == comparable(two)


def test_a_failed_gate_waits_for_a_person(bench: Bench) -> None:
    study = bench.create()
    steps = recipe(PlainStep(StepKind.INITIAL_LOSS, verdicts=(StepState.FAILED,)))

    view = conduct(bench, study, steps)

    assert view.state is StudyState.NEEDS_ACTION
    assert view.reason == "1 trials"
    assert view.finished_at is None
    assert not advance(bench.database, study, settings=bench.settings, recipe=steps)


def test_a_setting_that_does_not_fit_fails_the_study(bench: Bench) -> None:
    study = bench.create(set={"learning_rate": 0.1})

    view = conduct(bench, study, ONE_STEP)

    assert view.state is StudyState.FAILED
    assert view.reason is not None
    assert "learning_rate" in view.reason
    assert view.num_trials == 0


def test_a_step_that_raises_fails_its_study_and_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    broken = recipe(PlainStep(StepKind.INITIAL_LOSS, raises=ZeroDivisionError))
    study = bench.create(steps=(1,))

    view = conduct(bench, study, broken)

    assert view.state is StudyState.FAILED
    assert view.reason == ("step 1 could not be decided: ZeroDivisionError: a rule's own mistake")
    assert "ZeroDivisionError" in caplog.text  # with its traceback
    assert conduct(bench, bench.create(steps=(1,)), ONE_STEP).state is StudyState.COMPLETED


def test_a_crash_between_plan_and_write_changes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = bench.create(steps=(1,))
    bench.describe(bench.worker())
    before = bench.dump()

    class Killed(BaseException):
        pass

    def die(place: str) -> None:
        assert place == "advance.between_plan_and_write"
        raise Killed

    monkeypatch.setattr("service.conductor.advance.failpoint", die)
    with pytest.raises(Killed):
        advance(bench.database, study, settings=bench.settings, recipe=ONE_STEP)
    assert bench.dump() == before
    monkeypatch.undo()

    assert conduct(bench, study, ONE_STEP).state is StudyState.COMPLETED


def test_two_conductors_do_each_thing_once(bench: Bench) -> None:
    names = [bench.create(name=f"s{number}", seed=number) for number in range(4)]
    stop = threading.Event()
    threads = [
        threading.Thread(target=conductor(bench, THREE_STEPS).run, args=(stop,)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    try:
        states = wait_until_ended(bench.database, names)
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)

    assert states == {StudyState.COMPLETED}
    for name in names:
        with bench.database.read() as session:
            page = trials.list_trials(session, name, limit=100)
            assert [step.number for step in studies.steps(session, name)] == [1, 2, 3]
        assert [trial.number for trial in page.items] == list(range(10))


def test_a_stale_decision_is_dropped(bench: Bench) -> None:
    """Two that read the same version: the second writes nothing."""
    from service.conductor.advance import _write
    from service.conductor.decisions import decide
    from service.conductor.snapshot import read

    study = bench.create()
    bench.describe(bench.worker())
    with bench.database.read() as session:
        snapshot = read(session, study, recipe=ONE_STEP, settings=bench.settings)
    assert snapshot is not None
    decision = decide(snapshot, ONE_STEP)
    with bench.database.write() as session:
        assert _write(session, snapshot, decision)
    before = bench.dump()
    with bench.database.write() as session:
        assert not _write(session, snapshot, decision)

    assert bench.dump() == before


def test_nothing_is_reaped_within_a_lease_of_the_start(bench: Bench) -> None:
    """No worker could renew its lease while the service was away."""
    bench.create()
    bench.must_claim(bench.worker())
    time.sleep(bench.settings.lease_seconds + 0.1)  # the service was away
    conducting = Conductor(bench.database, settings=bench.settings, recipe=ONE_STEP)

    def states() -> list[str]:
        return [row["state"] for row in bench.dump()["attempt"]]

    conducting.look()
    assert states() == ["running"]
    time.sleep(bench.settings.lease_seconds + 0.1)
    conducting.look()
    assert states() == ["lost", "queued"]
