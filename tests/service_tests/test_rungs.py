"""Trials that pause at a rung: they go on, are discarded, and lose nothing to a kill."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recipes.step import JobPlan, StepContext, StepKind, StepPlan, TrialPlan
from recipes.study import StudyState
from recipes.trial import TrialCause, TrialState
from recipes.wire import ArtifactKind, AttemptState, Claim
from service.conductor.advance import _write, advance
from service.conductor.conductor import Conductor
from service.conductor.decisions import PlanJobs, decide
from service.conductor.recipe import Recipe
from service.conductor.snapshot import read
from service.dispatch.scripted import ScriptedDispatcher
from service.errors import InvalidInput
from service.repositories import artifacts as artifact_repository
from service.use_cases import studies, trials
from service.use_cases.artifacts import ArtifactStore, add
from service.views.models import StudyReport, StudyView, TrialView
from service.views.reports import comparable
from tests.service_tests.rungs import Climbing, TwoRungs, so_far
from tests.service_tests.support import Bench, PlainStep, block, outcome, recipe

SEARCH = (4,)


def conduct(bench: Bench, study: str, steps: Recipe) -> StudyView:
    scripted = ScriptedDispatcher(bench.database, Climbing(), settings=bench.settings)
    conducting = Conductor(
        bench.database, settings=bench.settings, dispatcher=scripted, recipe=steps
    )
    for _ in range(50):
        conducting.look()
        with bench.database.read() as session:
            view = studies.get(session, study)
        if view.state not in (StudyState.PENDING, StudyState.RUNNING):
            return view
    raise AssertionError(f"the study did not end: {view}")


def report(bench: Bench, study: str) -> StudyReport:
    with bench.database.read() as session:
        return studies.report(session, study)


def trial(bench: Bench, study: str, number: int) -> TrialView:
    with bench.database.read() as session:
        return trials.get_trial(session, study, number)


def at_the_rung(bench: Bench, steps: Recipe, worker: str, count: int = 2) -> str:
    """A study whose trials all wait at the rung, undecided."""
    study = bench.create(steps=SEARCH)
    bench.describe(worker)
    bench.advance(study, steps)
    for _ in range(count):
        reach_rung(bench, bench.must_claim(worker))
    return study


def reach_rung(bench: Bench, claim: Claim) -> None:
    assert claim.job.run is not None
    for member in claim.job.run.members:
        lr = float(member.params["lr"])
        paused = so_far(member.trial, lr, 2, ends=False)
        bench.points(claim, block(member.trial, 3.0, 2.0, 1.0), outcomes=[paused])
    bench.finish(claim)


def test_the_better_half_goes_on_and_the_others_end(bench: Bench) -> None:
    step = TwoRungs()
    study = bench.create(steps=SEARCH)

    view = conduct(bench, study, recipe(step))

    assert view.state is StudyState.COMPLETED, view.reason
    assert view.num_trials == 4
    found = report(bench, study).trials
    pruned = (TrialState.PRUNED, TrialCause.EARLY_DISCARD)
    complete = (TrialState.COMPLETE, TrialCause.FINISHED)
    assert [(each.state, each.cause) for each in found] == [pruned, pruned, complete, complete]
    assert [each.num_epochs for each in found] == [2, 2, 4, 4]
    assert [each.iterations for each in found] == [32, 32, 64, 64]
    assert all(each.ended_at is not None for each in found)
    assert [attempt.number for attempt in trial(bench, study, 3).attempts] == [1, 2]
    states = [each.outcome.state.value for each in step.seen[1].trials]
    assert states == ["waiting"] * 4
    assert [each.outcome.state.value for each in step.seen[-1].trials] == [
        *("pruned", "pruned", "complete", "complete")
    ]
    assert step.seen[-1].trials[0].outcome.cause is TrialCause.EARLY_DISCARD


def test_what_still_waits_when_a_step_is_judged_ends_there(bench: Bench) -> None:
    study = bench.create(steps=SEARCH)
    view = conduct(bench, study, recipe(TwoRungs(leaves_waiting=True)))

    assert view.state is StudyState.COMPLETED
    assert {each.state for each in report(bench, study).trials} == {TrialState.PRUNED}


def test_two_searches_of_one_seed_are_equal(bench: Bench) -> None:
    first, second = bench.create(name="a", steps=SEARCH), bench.create(name="b", steps=SEARCH)
    conduct(bench, first, recipe(TwoRungs()))
    conduct(bench, second, recipe(TwoRungs()))

    one, two = comparable(report(bench, first)), comparable(report(bench, second))

    assert one == two
    assert one["best"]["trial"] == 3
    assert one["budget"]["used"] == {"epochs": 12.0, "trials": 4}


def test_a_rung_is_decided_when_its_jobs_are_done_and_not_before(bench: Bench) -> None:
    steps = recipe(TwoRungs(count=2))
    worker = bench.worker()
    study = bench.create(steps=SEARCH)
    bench.describe(worker)
    bench.advance(study, steps)
    reach_rung(bench, bench.must_claim(worker))

    assert not advance(bench.database, study, settings=bench.settings, recipe=steps)
    assert trial(bench, study, 0).state is TrialState.WAITING
    reach_rung(bench, bench.must_claim(worker))

    assert advance(bench.database, study, settings=bench.settings, recipe=steps)
    assert trial(bench, study, 0).state is TrialState.PRUNED
    assert trial(bench, study, 1).state is TrialState.WAITING
    claim = bench.must_claim(worker)
    assert claim.job.run is not None
    assert [(m.trial, m.seed, m.data_seed) for m in claim.job.run.members] == [(1, 3, 5)]
    assert claim.job.run.until_epoch is None
    assert trial(bench, study, 1).state is TrialState.RUNNING


def test_a_crash_between_plan_and_write_changes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = recipe(TwoRungs(count=2))
    study = at_the_rung(bench, steps, bench.worker())
    before = bench.dump()

    class Killed(BaseException):
        pass

    def die(place: str) -> None:
        raise Killed(place)

    monkeypatch.setattr("service.conductor.advance.failpoint", die)
    with pytest.raises(Killed):
        advance(bench.database, study, settings=bench.settings, recipe=steps)
    assert bench.dump() == before
    monkeypatch.undo()

    assert conduct(bench, study, steps).state is StudyState.COMPLETED


def test_of_two_conductors_one_writes_the_rung(bench: Bench) -> None:
    steps = recipe(TwoRungs(count=2))
    study = at_the_rung(bench, steps, bench.worker())
    with bench.database.read() as session:
        snapshot = read(session, study, recipe=steps, settings=bench.settings)
    assert snapshot is not None
    decision = decide(snapshot, steps)
    assert isinstance(decision, PlanJobs)
    with bench.database.write() as session:
        assert _write(session, snapshot, decision)
    before = bench.dump()

    with bench.database.write() as session:
        assert not _write(session, snapshot, decision)

    assert bench.dump() == before


def test_a_paused_outcome_sent_again_does_not_stop_the_trial(bench: Bench) -> None:
    """The answer was lost; meanwhile the trial has gone on in another job."""
    steps = recipe(TwoRungs(count=2))
    worker = bench.worker()
    study = bench.create(steps=SEARCH)
    bench.describe(worker)
    bench.advance(study, steps)
    first, second = (bench.must_claim(worker, slot) for slot in range(2))
    paused = [so_far(number, 0.1 * (number + 1), 2, ends=False) for number in range(2)]
    bench.points(first, outcomes=[paused[0]])
    bench.points(second, outcomes=[paused[1]])
    bench.advance(study, steps)  # neither attempt has said that it finished
    bench.must_claim(worker, 2)
    assert trial(bench, study, 1).state is TrialState.RUNNING

    bench.points(second, outcomes=[paused[1]])
    bench.finish(second)

    assert trial(bench, study, 1).state is TrialState.RUNNING


@pytest.mark.parametrize(
    ("state", "cause", "word"),
    [
        (TrialState.WAITING, TrialCause.FINISHED, "cause"),
        (TrialState.COMPLETE, None, "cause"),
        (TrialState.RUNNING, None, "state"),
    ],
)
def test_outcomes_are_ends_with_a_cause_or_pauses_without(
    bench: Bench, state: TrialState, cause: TrialCause | None, word: str
) -> None:
    bench.planned([1])
    claim = bench.must_claim(bench.worker())
    before = bench.dump()
    odd = outcome(0).model_copy(update={"state": state, "cause": cause})
    with pytest.raises(InvalidInput, match=word):
        bench.points(claim, outcomes=[odd])
    assert bench.dump() == before


def keep(
    bench: Bench,
    store: ArtifactStore,
    claim: Claim,
    number: int,
    epoch: int,
    kind: ArtifactKind = ArtifactKind.CHECKPOINT,
) -> str:
    with bench.database.write() as session:
        return add(
            session,
            claim.attempt,
            fence=claim.fence,
            trial=number,
            kind=kind,
            epoch=epoch,
            iteration=16 * epoch,
            file=store.put(f"{kind} {number} {epoch}".encode()),
            store=store,
        ).artifact


@pytest.fixture
def store(bench: Bench) -> ArtifactStore:
    kept = ArtifactStore(bench.settings.artifacts_dir)
    bench.database._delete_file = kept.delete
    return kept


def test_a_trial_goes_on_from_the_checkpoint_of_its_earlier_job(
    bench: Bench, store: ArtifactStore
) -> None:
    steps = recipe(TwoRungs(count=2))
    worker = bench.worker()
    study = bench.create(steps=SEARCH)
    bench.describe(worker)
    bench.advance(study, steps)
    names = {}
    for _ in range(2):
        claim = bench.must_claim(worker)
        (member,) = claim.job.run.members if claim.job.run else ()
        names[member.trial] = keep(bench, store, claim, member.trial, 2)
        reading = block(member.trial, *(float(40 - i) for i in range(36)))  # past the rung
        paused = so_far(member.trial, float(member.params["lr"]), 2, ends=False)
        bench.points(claim, reading, outcomes=[paused])
        bench.finish(claim)
    bench.advance(study, steps)

    with pytest.raises(Exception, match="artifact"):
        store.path(names[0])  # discarded: nothing goes on from it
    claim = bench.must_claim(worker)
    (resume,) = claim.resume
    assert (resume.trial, resume.epoch, resume.iteration) == (1, 2, 32)
    assert resume.artifact == names[1]
    bench.points(claim, block(1, *(float(40 - i) for i in range(32, 65)), first=32))
    with bench.database.read() as session:
        (curve,) = trials.curves(session, study, 1).curves
    assert curve.iterations == tuple(range(65))
    assert curve.values == tuple(float(40 - i) for i in range(65))

    bench.finish(claim, AttemptState.PREEMPTED)
    again = bench.must_claim(worker)
    assert again.resume == claim.resume
    with bench.database.read() as session:
        (curve,) = trials.curves(session, study, 1).curves
    assert curve.iterations == tuple(range(33))  # of the preempted attempt nothing counts


def test_checkpoints_go_with_their_trial_and_snapshots_stay(
    bench: Bench, store: ArtifactStore
) -> None:
    study = bench.planned([2])
    claim = bench.must_claim(bench.worker())
    checkpoint = keep(bench, store, claim, 0, 1)
    other = keep(bench, store, claim, 1, 1)
    first = keep(bench, store, claim, 0, 1, ArtifactKind.SNAPSHOT)
    snapshot = keep(bench, store, claim, 0, 2, ArtifactKind.SNAPSHOT)
    bench.points(claim, outcomes=[outcome(0)])

    late = keep(bench, store, claim, 0, 3)  # on its way when the outcome came

    with bench.database.read() as session:
        assert artifact_repository.all_uids(session) == {other, snapshot}
    assert store.path(snapshot).read_bytes() == b"snapshot 0 2"
    for gone in (checkpoint, first, late):
        with pytest.raises(Exception, match="artifact"):
            store.path(gone)
    with bench.database.write() as session:
        studies.cancel(session, study)
    with bench.database.read() as session:
        assert artifact_repository.all_uids(session) == {snapshot}


def test_a_checkpoint_that_is_gone_means_a_start_from_the_beginning(
    bench: Bench, store: ArtifactStore
) -> None:
    study = bench.planned([1])
    worker = bench.worker()
    claim = bench.must_claim(worker)
    name = keep(bench, store, claim, 0, 1)
    bench.points(claim, block(0, *(1.0,) * 20))
    bench.finish(claim, AttemptState.PREEMPTED)
    claim = bench.must_claim(worker)
    assert [point.artifact for point in claim.resume] == [name]
    error = {"kind": "checkpoint_gone", "message": "404 for the checkpoint of trial 0"}

    bench.finish(claim, AttemptState.FAILED, error=error)

    fresh = bench.must_claim(worker)
    assert fresh.resume == ()
    bench.points(fresh, block(0, 5.0))
    with bench.database.read() as session:
        (curve,) = trials.curves(session, study, 0).curves
    assert curve.values == (5.0,)


class AsksForSnapshots(PlainStep):
    """A generation that leaves snapshots, and one that averages them."""

    def plan(self, context: StepContext) -> StepPlan:
        plan = super().plan(context)
        return StepPlan(tuple(map(_average, plan.jobs))) if context.trials else plan


def _average(job: JobPlan) -> JobPlan:
    plans = [trial for trial in job.trials if isinstance(trial, TrialPlan)]
    averages = tuple(replace(plan, snapshots=(1, 0)) for plan in plans)
    return JobPlan(averages, {"iterations": 0})


def test_a_claim_brings_the_snapshots_its_members_use(bench: Bench, store: ArtifactStore) -> None:
    steps = recipe(AsksForSnapshots(StepKind.LOOP, jobs=(2,), generations=2))
    worker = bench.worker()
    study = bench.create(steps=(7,))
    bench.describe(worker)
    bench.advance(study, steps)
    claim = bench.must_claim(worker)
    assert claim.snapshots == ()
    names = [keep(bench, store, claim, number, 1, ArtifactKind.SNAPSHOT) for number in range(2)]
    bench.points(claim, outcomes=[outcome(0), outcome(1)])
    bench.finish(claim)
    bench.advance(study, steps)

    claim = bench.must_claim(worker)

    assert claim.job.run is not None
    assert {member.snapshots for member in claim.job.run.members} == {(1, 0)}
    assert [(each.trial, each.artifact) for each in claim.snapshots] == list(enumerate(names))


class NamesOthers(TwoRungs):
    """Discards a trial that does not wait."""

    def plan(self, context: StepContext) -> StepPlan:
        plan = super().plan(context)
        return StepPlan(plan.jobs, plan.sentence, discard=(7,)) if context.trials else plan


def test_a_plan_that_would_never_end_fails_its_study(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    view = conduct(bench, bench.create(steps=SEARCH), recipe(NamesOthers()))

    assert view.state is StudyState.FAILED
    assert view.reason is not None
    assert "must wait at a rung" in view.reason
    assert "could not be decided" in caplog.text
