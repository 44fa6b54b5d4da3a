"""What a person does with a study: pause, resume, cancel, accept, rerun, skip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from recipes.plan import next_step
from recipes.step import Action, StepContext, StepKind, StepReport, StepState
from recipes.study import StudyConfig, StudyState
from recipes.trial import TrialState
from recipes.wire import AttemptState, HeartbeatRequest
from service.conductor.recipe import Recipe
from service.errors import InvalidInput, InvalidState, NotFound
from service.use_cases import attempts, steps, studies, trials
from service.use_cases.verbs import Situation, possible, refusal
from service.views.models import StudyView
from tests.recipes_tests.builders import description
from tests.service_tests.support import Bench, PlainStep, outcome

Verb = Callable[..., StudyView]


@dataclass
class Offering(PlainStep):
    """Offers an action with its verdict, on its first passes."""

    kind: StepKind = StepKind.LR_FINDER
    action: str = "widen"
    passes: int = 1

    def judge(self, context: StepContext) -> StepReport:
        report = super().judge(context)
        if context.pass_number > self.passes:
            return report
        offered = Action(kind=self.action, sentence=f"{self.action} it")
        return report.model_copy(update={"action": offered})


FAILING = PlainStep(StepKind.OVERFIT_SAMPLE, verdicts=(StepState.FAILED, StepState.PASSED))


def real_order(*made: PlainStep) -> Recipe:
    """Steps of ours in the order that the recipe itself has for them."""
    return Recipe({step.kind.number: step for step in made}, next_step)


GATED = real_order(PlainStep(StepKind.INITIAL_LOSS), FAILING, PlainStep(StepKind.LR_FINDER))
OFFERED = real_order(PlainStep(StepKind.INITIAL_LOSS), Offering())


def do(bench: Bench, verb: Verb, study: str, *args: object, **fields: object) -> StudyView:
    with bench.database.write() as session:
        return verb(session, study, *args, **fields)


def get(bench: Bench, study: str) -> StudyView:
    with bench.database.read() as session:
        return studies.get(session, study)


def work(bench: Bench, worker: str) -> int:
    """Answer whatever waits; how many attempts that were."""
    count = 0
    while (claim := bench.claim(worker)) is not None:
        run = claim.job.run
        if run is None:
            bench.finish(claim, description=description())
        else:
            bench.points(claim, outcomes=[outcome(member.trial) for member in run.members])
            bench.finish(claim)
        count += 1
    return count


def carry_on(bench: Bench, study: str, made: Recipe, worker: str) -> StudyView:
    bench.advance(study, made)
    while work(bench, worker):
        bench.advance(study, made)
    return get(bench, study)


@pytest.fixture
def worker(bench: Bench) -> str:
    return bench.worker()


@pytest.fixture
def failed(bench: Bench, worker: str) -> str:
    """A study that waits because its step 2 failed."""
    study = bench.create(steps=(1, 2, 3))
    assert carry_on(bench, study, GATED, worker).state is StudyState.NEEDS_ACTION
    return study


@pytest.fixture
def offered(bench: Bench, worker: str) -> str:
    """A study that waits with an action, because nothing applies itself."""
    study = bench.create(steps=(1, 3), autopilot=False)
    assert carry_on(bench, study, OFFERED, worker).state is StudyState.NEEDS_ACTION
    return study


def test_a_paused_study_hands_out_nothing_and_reaches_no_verdict(
    bench: Bench, worker: str
) -> None:
    study = bench.planned([1, 1], worker=worker)
    running = bench.must_claim(worker)
    paused = do(bench, studies.pause, study)
    assert paused.state is StudyState.PAUSED
    assert do(bench, studies.pause, study).state is StudyState.PAUSED
    assert bench.claim(worker, 1) is None
    with bench.database.write() as session:
        request = HeartbeatRequest(fence=running.fence)
        answer = attempts.heartbeat(session, running.attempt, request, settings=bench.settings)
    assert answer.command == "continue"  # what runs is let run
    bench.points(running, outcomes=[outcome(0)])
    bench.finish(running)
    bench.advance(study)
    view = get(bench, study)
    assert view.state is StudyState.PAUSED
    assert [step.state for step in view.steps] == [StepState.RUNNING]
    assert view.budget.used.wall_seconds == get(bench, study).budget.used.wall_seconds

    assert do(bench, studies.resume, study).state is StudyState.RUNNING
    assert do(bench, studies.resume, study).state is StudyState.RUNNING
    claim = bench.must_claim(worker)
    bench.points(claim, outcomes=[outcome(1)])
    bench.finish(claim)
    bench.advance(study)
    assert get(bench, study).state is StudyState.COMPLETED


def test_a_study_can_be_paused_before_it_is_described(bench: Bench, worker: str) -> None:
    study = bench.create(steps=(1,))
    claim = bench.must_claim(worker)
    do(bench, studies.pause, study)
    bench.finish(claim, description=description())
    bench.advance(study)
    assert get(bench, study).state is StudyState.PAUSED

    assert do(bench, studies.resume, study).state is StudyState.PENDING
    bench.advance(study)
    assert get(bench, study).state is StudyState.RUNNING


def test_cancelling_ends_the_step_and_the_trials_at_their_rung(bench: Bench, worker: str) -> None:
    study = bench.planned([2], worker=worker)
    bench.must_claim(worker)

    view = do(bench, studies.cancel, study)

    assert view.state is StudyState.CANCELLED
    assert [step.state for step in view.steps] == [StepState.INCONCLUSIVE]
    assert view.current is None
    with bench.database.read() as session:
        states = {each.state for each in trials.list_trials(session, study).items}
    assert states == {TrialState.CANCELLED}
    assert view.verbs == ()


def test_an_accepted_action_is_applied_once(bench: Bench, offered: str, worker: str) -> None:
    waiting = get(bench, offered)
    assert waiting.reason == "widen it"
    assert waiting.decision_step == 3
    assert set(waiting.verbs) == {"cancel", "accept", "rerun", "skip"}

    assert do(bench, steps.accept, offered, 3).state is StudyState.RUNNING
    before = bench.dump()
    assert do(bench, steps.accept, offered, 3).state is StudyState.RUNNING
    assert bench.dump() == before

    view = carry_on(bench, offered, OFFERED, worker)
    assert view.state is StudyState.COMPLETED
    assert [(step.number, step.pass_number) for step in view.steps] == [(1, 1), (3, 1), (3, 2)]
    with bench.database.read() as session:
        assert steps.step(session, offered, 3, pass_number=1).accepted
        assert not steps.step(session, offered, 3, pass_number=2).accepted


def test_a_repeated_accept_does_not_accept_the_next_pass(bench: Bench, worker: str) -> None:
    twice = real_order(Offering(passes=2))
    study = bench.create(steps=(3,), autopilot=False)
    carry_on(bench, study, twice, worker)
    do(bench, steps.accept, study, 3, round=1, pass_number=1)
    assert carry_on(bench, study, twice, worker).state is StudyState.NEEDS_ACTION
    before = bench.dump()

    do(bench, steps.accept, study, 3, round=1, pass_number=1)  # its answer was lost

    assert bench.dump() == before
    with pytest.raises(InvalidState, match="pass 2"):
        do(bench, steps.accept, study, 3, round=1, pass_number=5)
    do(bench, steps.accept, study, 3, round=1, pass_number=2)
    assert carry_on(bench, study, twice, worker).state is StudyState.COMPLETED


def test_with_autopilot_nothing_waits(bench: Bench, worker: str) -> None:
    study = bench.create(steps=(1, 3))
    view = carry_on(bench, study, OFFERED, worker)
    assert view.state is StudyState.COMPLETED
    assert [step.pass_number for step in view.steps] == [1, 1, 2]


def test_a_skipped_step_keeps_its_reason(bench: Bench, failed: str, worker: str) -> None:
    for reason in ("", "  ", "x" * 1001):
        with pytest.raises(InvalidInput, match="reason"):
            do(bench, steps.skip, failed, 2, reason=reason)
    do(bench, steps.skip, failed, 2, reason="the \x00 labels are noise")
    before = bench.dump()
    do(bench, steps.skip, failed, 2, reason="again")
    assert bench.dump() == before

    view = carry_on(bench, failed, GATED, worker)

    assert view.state is StudyState.COMPLETED
    assert [step.state for step in view.steps] == [
        StepState.PASSED,
        StepState.SKIPPED,
        StepState.PASSED,
    ]
    with bench.database.read() as session:
        skipped = steps.step(session, failed, 2)
    assert skipped.verdict is StepState.FAILED
    assert skipped.skip_reason == "the \\x00 labels are noise"


def test_what_a_failed_gate_advises_is_not_accepted(bench: Bench, failed: str) -> None:
    before = bench.dump()
    with pytest.raises(InvalidState, match="yours to do"):
        do(bench, steps.accept, failed, 2)
    with pytest.raises(InvalidState, match="waits at step 2"):
        do(bench, steps.skip, failed, 1, reason="no")
    with pytest.raises(InvalidState, match="waits for you"):
        do(bench, studies.pause, failed)
    with pytest.raises(InvalidState, match="not paused"):
        do(bench, studies.resume, failed)
    with pytest.raises(InvalidState, match="step 3 has not run; give one of 1, 2"):
        do(bench, steps.rerun, failed, 3)
    assert bench.dump() == before


def test_a_rerun_describes_again_and_makes_what_came_after_stale(
    bench: Bench, failed: str, worker: str
) -> None:
    view = do(bench, steps.rerun, failed, 2)
    assert view.state is StudyState.PENDING
    before = bench.dump()
    do(bench, steps.rerun, failed, 2)
    assert bench.dump() == before
    with pytest.raises(InvalidState, match="step 2 is about to be rerun"):
        do(bench, steps.rerun, failed, 1)
    assert [step.state for step in get(bench, failed).steps] == [
        StepState.PASSED,
        StepState.FAILED,
    ]
    claim = bench.must_claim(worker)
    assert claim.job.run is None
    changed = description(digest="1" * 64)
    bench.finish(claim, description=changed)
    assert [step.state for step in get(bench, failed).steps] == [
        StepState.PASSED,
        StepState.STALE,
    ]

    view = carry_on(bench, failed, GATED, worker)

    assert view.state is StudyState.COMPLETED
    assert [(s.number, s.pass_number, s.state.value) for s in view.steps] == [
        (1, 1, "passed"),
        (2, 1, "stale"),
        (2, 2, "passed"),
        (3, 1, "passed"),
    ]
    with bench.database.read() as session:
        report = studies.report(session, failed)
    assert report.digest == "1" * 64
    assert report.steps[0].state is StepState.PASSED
    assert report.started_at == view.started_at


def test_a_rerun_of_the_first_step_begins_again(bench: Bench, failed: str, worker: str) -> None:
    do(bench, steps.rerun, failed, 1)
    view = carry_on(bench, failed, GATED, worker)
    assert view.state is StudyState.COMPLETED
    assert [(s.number, s.pass_number, s.state.value) for s in view.steps] == [
        (1, 1, "stale"),
        (2, 1, "stale"),
        (1, 2, "passed"),
        (2, 2, "passed"),
        (3, 1, "passed"),
    ]


def test_a_task_broken_by_its_change_waits_for_another(
    bench: Bench, failed: str, worker: str
) -> None:
    do(bench, steps.rerun, failed, 1)
    problem = {
        "message": "invalid syntax",
        "file": "/t.py",
        "line": 3,
        "cure": "mend it",
        "traceback": None,
    }
    error = {"kind": "task", "message": "invalid syntax", "problem": problem}
    bench.finish(bench.must_claim(worker), AttemptState.FAILED, error=error)

    view = get(bench, failed)
    assert view.state is StudyState.NEEDS_ACTION
    assert view.reason == "invalid syntax"
    assert view.problem is not None
    assert [step.state for step in view.steps] == [StepState.PASSED, StepState.FAILED]
    with pytest.raises(InvalidState, match="mend it, then rerun"):
        do(bench, steps.skip, failed, 2, reason="no")
    do(bench, steps.rerun, failed, 1)
    view = carry_on(bench, failed, GATED, worker)
    assert view.state is StudyState.COMPLETED
    assert view.problem is None


def test_a_description_that_never_comes_leaves_nothing_to_skip(bench: Bench, worker: str) -> None:
    study = bench.create(steps=(1, 2, 3))
    bench.describe(worker)
    bench.advance(study, GATED)
    work(bench, worker)
    bench.advance(study, GATED)  # step 2 is under way
    do(bench, steps.rerun, study, 2)
    error = {"kind": "crashed", "message": "exit 3"}
    while (claim := bench.claim(worker)) is not None:
        assert claim.job.run is None
        bench.finish(claim, AttemptState.FAILED, error=error)

    view = get(bench, study)

    assert view.state is StudyState.NEEDS_ACTION
    assert view.reason == "describe failed: crashed 3 times: exit 3"
    assert set(view.verbs) == {"cancel", "rerun"}
    with pytest.raises(InvalidState, match="rerun a step"):
        do(bench, steps.skip, study, 1, reason="no")
    do(bench, steps.rerun, study, 1)
    assert carry_on(bench, study, GATED, worker).state is StudyState.COMPLETED


def test_a_rerun_stops_what_is_under_way(bench: Bench, worker: str) -> None:
    study = bench.create(steps=(1, 2, 3))
    bench.describe(worker)
    bench.advance(study, GATED)
    claim = bench.must_claim(worker)

    do(bench, steps.rerun, study, 1)

    with bench.database.write() as session:
        request = HeartbeatRequest(fence=claim.fence)
        answer = attempts.heartbeat(session, claim.attempt, request, settings=bench.settings)
    assert answer.command == "stop"
    bench.points(claim, outcomes=[outcome(0)])  # too late: it was cancelled
    bench.finish(claim, AttemptState.CANCELLED)
    with bench.database.read() as session:
        assert trials.get_trial(session, study, 0).state is TrialState.CANCELLED
    again = bench.must_claim(worker)
    assert again.job.run is None  # the description, not the cancelled job once more
    bench.finish(again, description=description())
    bench.advance(study, GATED)
    assert [step.state for step in get(bench, study).steps] == [
        StepState.STALE,
        StepState.RUNNING,
    ]


def test_a_person_is_faster_than_the_conductor(bench: Bench, worker: str) -> None:
    """A decision made on what was there before is dropped."""
    from service.conductor.advance import _write
    from service.conductor.decisions import decide
    from service.conductor.snapshot import read

    study = bench.create(steps=(1,))
    bench.describe(worker)
    with bench.database.read() as session:
        snapshot = read(session, study, recipe=GATED, settings=bench.settings)
    assert snapshot is not None
    decision = decide(snapshot, GATED)
    do(bench, studies.pause, study)
    before = bench.dump()
    with bench.database.write() as session:
        assert not _write(session, snapshot, decision)
    assert bench.dump() == before


@pytest.mark.parametrize("state", [each for each in StudyState if each.has_ended])
def test_an_ended_study_takes_no_verb(state: StudyState) -> None:
    situation = Situation(state)
    assert possible(situation) == ()
    for verb in ("pause", "resume", "cancel", "accept", "rerun", "skip"):
        reason = refusal(verb, situation, 1)  # type: ignore[arg-type]
        assert reason == f"the study is {state.value} for good; create another one"


def test_unknown_studies_are_not_found(bench: Bench) -> None:
    for verb in (studies.pause, studies.resume, studies.cancel):
        with pytest.raises(NotFound):
            do(bench, verb, "0" * 16)
    for decide in (steps.accept, steps.rerun):
        with pytest.raises(NotFound):
            do(bench, decide, "0" * 16, 1)
    with pytest.raises(NotFound):
        do(bench, steps.skip, "0" * 16, 1, reason="why")


def test_the_order_is_told_by_the_whole_configuration() -> None:
    """The recipe's own function goes with the conductor's."""
    config = StudyConfig(name="n", task="digits", steps=(2,))
    history: Sequence[StepReport] = ()
    assert next_step(config, history).number == 2
