"""What a study has spent, and the time that counts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from recipes.step import StepContext, StepKind, StepPlan
from recipes.study import StudyState
from service.conductor.active_clock import ActiveClock
from service.conductor.recipe import Recipe
from service.dispatch.scripted import ScriptedDispatcher
from service.repositories.spending import Progress
from service.use_cases import studies, workers
from service.use_cases.spending import eta_seconds
from service.views.models import StudyView
from tests.service_tests.rungs import Climbing, TwoRungs
from tests.service_tests.support import Bench, PlainStep, outcome, recipe


def get(bench: Bench, study: str) -> StudyView:
    with bench.database.read() as session:
        return studies.get(session, study)


def run(bench: Bench, study: str, steps: Recipe) -> StudyView:
    """Carry a study to its end."""
    scripted = ScriptedDispatcher(bench.database, Climbing(), settings=bench.settings)
    for _ in range(50):
        scripted.submit(())
        bench.advance(study, steps)
        view = get(bench, study)
        if view.state not in (StudyState.PENDING, StudyState.RUNNING):
            return view
    raise AssertionError(view)


@dataclass
class Looking(PlainStep):
    """Reads earlier searches, and keeps what it was shown."""

    kind: StepKind = StepKind.FINE_SEARCH
    seen: list[StepContext] = field(default_factory=list)
    reads_search: ClassVar[bool] = True
    reads_curves: ClassVar[bool] = False

    def plan(self, context: StepContext) -> StepPlan:
        self.seen.append(context)
        return super().plan(context)


@dataclass
class LookingAtCurves(Looking):
    kind: StepKind = StepKind.CURVES
    reads_curves: ClassVar[bool] = True


def test_a_decision_sees_budget_search_and_options(bench: Bench) -> None:
    looking, reading = Looking(), LookingAtCurves()
    checks = PlainStep(StepKind.INITIAL_LOSS, jobs=(3,))
    steps = recipe(checks, TwoRungs(count=2), looking, reading)
    study = bench.create(
        steps=(1, 4, 5, 6),
        budget={"trials": 40, "epochs": 500},
        incumbent={"lr": 0.3},
        max_rounds=2,
        search={"coarse_trials": 12},
    )

    assert run(bench, study, steps).state is StudyState.COMPLETED

    seen = looking.seen[0]
    assert [(each.number, each.step, each.round) for each in seen.search] == [(4, 4, 1)]
    assert (seen.left_out.num_valued, seen.left_out.epochs) == (1, 2)
    assert [each.seed for each in seen.search] == [3]
    assert all(not each.curves for each in seen.search)
    assert seen.incumbent == {"lr": 0.3}
    assert seen.max_rounds == 2
    assert seen.options.coarse_trials == 12
    assert seen.learned == {"seen_initial_loss": 3, "best_lr": 0.2}
    assert seen.budget.allowed.trials == 40
    assert seen.budget.spent.trials == 2  # those of step 1 do not count
    assert seen.budget.spent.epochs == pytest.approx(2 + 4 + 3 * 4 / 16)
    assert seen.budget.step_spent.trials == 0
    assert seen.budget.step_spent.epochs == 0
    assert seen.budget.spent.wall_seconds > seen.budget.step_spent.wall_seconds >= 0
    assert seen.budget.spent.device_seconds > 0
    after = looking.seen[-1].budget
    assert (after.spent.trials, after.step_spent.trials) == (3, 1)
    assert after.step_spent.epochs == pytest.approx(4 / 16)
    assert {each.number for each in reading.seen[0].search} == {3, 4, 5}
    assert all(each.curve("loss").values for each in reading.seen[0].search)


def test_of_a_large_search_the_curves_of_the_best_are_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.conductor.earlier_trials.MOST_READ", 3)
    reading = LookingAtCurves()
    steps = recipe(TwoRungs(count=4), Looking(), reading)
    study = bench.create(steps=(4, 5, 6))

    assert run(bench, study, steps).state is StudyState.COMPLETED

    seen = reading.seen[0]
    assert {each.number for each in seen.search} == {1, 2, 3, 4}
    assert all(each.curve("loss").values for each in seen.search)
    assert (seen.left_out.num_valued, seen.left_out.epochs) == (1, 2)


def test_stale_searches_are_not_looked_at(bench: Bench) -> None:
    from service.use_cases import steps as verbs

    looking = Looking()
    made = recipe(TwoRungs(count=2), looking)
    study = bench.create(steps=(4, 5))
    worker = ScriptedDispatcher(bench.database, Climbing(), settings=bench.settings)
    while not looking.seen:
        worker.submit(())
        bench.advance(study, made)
    with bench.database.write() as session:
        verbs.rerun(session, study, 4)
    looking.seen.clear()

    assert run(bench, study, made).state is StudyState.COMPLETED

    numbers = [each.number for each in looking.seen[0].search]
    assert numbers == [4]
    assert [each.pass_number for each in looking.seen[0].search] == [2]


def test_slots_are_those_of_workers_alive(bench: Bench) -> None:
    patient = bench.settings.model_copy(update={"lease_seconds": 60.0})
    bench.settings = patient
    step = TwoRungs(count=2)
    study = bench.create(steps=(4,))
    worker = bench.worker()  # 64 slots
    gone = bench.worker("gone")
    with bench.database.write() as session:
        workers.goodbye(session, gone, settings=patient)
    bench.describe(worker)
    bench.advance(study, recipe(step))
    assert step.seen[0].budget.slots == 64

    with bench.database.write() as session:
        workers.goodbye(session, worker, settings=patient)
        studies.cancel(session, study)
    step.seen.clear()
    other = bench.create(steps=(4,))
    describer = bench.worker("describer")
    bench.describe(describer)
    with bench.database.write() as session:
        workers.goodbye(session, describer, settings=patient)
    bench.advance(other, recipe(step))
    assert step.seen[0].budget.slots == 1


def wall(bench: Bench, study: str) -> float:
    return get(bench, study).budget.used.wall_seconds


def test_time_counts_while_a_study_is_active_and_served(bench: Bench) -> None:
    study = bench.create()
    clock = ActiveClock(bench.database, beat_seconds=0.05)
    clock.beat()
    time.sleep(0.3)
    clock.beat()
    served = wall(bench, study)
    assert served >= 0.3
    with bench.database.write() as session:
        studies.pause(session, study)
    paused = wall(bench, study)
    time.sleep(0.2)
    clock.beat()
    assert wall(bench, study) == paused
    with bench.database.write() as session:
        studies.resume(session, study)
    assert wall(bench, study) - paused < 0.2


def test_time_without_a_service_does_not_count(bench: Bench) -> None:
    study = bench.create()
    time.sleep(1.0)  # nobody looked
    ActiveClock(bench.database, beat_seconds=0.1).beat()
    assert wall(bench, study) < 0.9

    time.sleep(0.1)  # a quick restart
    ActiveClock(bench.database, beat_seconds=10.0).beat()
    assert wall(bench, study) >= 0.1


def test_two_clocks_count_once(bench: Bench) -> None:
    study = bench.create()
    clocks = [ActiveClock(bench.database, beat_seconds=0.01) for _ in range(2)]
    begun = time.monotonic()
    for _ in range(10):
        for clock in clocks:
            clock.beat()
        time.sleep(0.02)
    assert wall(bench, study) <= time.monotonic() - begun + 0.5


def test_how_long_a_step_still_takes() -> None:
    assert eta_seconds(Progress(0, 8, 0.0, 2)) is None
    assert eta_seconds(Progress(0, 0, 0.0, 0)) is None
    assert eta_seconds(Progress(2, 8, 10.0, 2)) == 15.0
    assert eta_seconds(Progress(8, 8, 10.0, 0)) == 0.0


def test_a_running_step_says_how_long(bench: Bench) -> None:
    study = bench.planned([1, 1])
    worker = bench.worker()
    claim = bench.must_claim(worker)
    current = get(bench, study).current
    assert current is not None
    assert (current.progress, current.eta_seconds) == (0.0, None)
    time.sleep(0.05)
    bench.points(claim, outcomes=[outcome(0)])
    bench.finish(claim)
    with bench.database.read() as session:
        (line,) = studies.list_studies(session).items
    assert line.current is not None
    assert line.current.progress == 0.5
    assert line.current.eta_seconds is not None
    assert line.current.eta_seconds >= 0.05
    assert line.budget.used.device_seconds >= 0.05
