"""Trials that train together: what is handed out, what is tried again alone, what is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from recipes.fusing import Fusing
from recipes.outcome import MemberOutcome
from recipes.step import StepContext, StepKind, StepPlan
from recipes.trial import TrialCause, TrialState
from recipes.wire import AttemptState, Claim
from service.dispatch.scripted import Answer, ScriptedDispatcher
from service.use_cases import attempts, studies, trials
from service.use_cases.fallback import REASONS
from service.views.models import TrialView
from service.views.report_markdown import markdown
from service.views.reports import comparable
from service.views.trials_csv import lines
from tests.recipes_tests.builders import description
from tests.service_tests.support import Bench, Falling, PlainStep, block, outcome, recipe

TOGETHER = Fusing(chunk=4, structural=("hidden",), rates={"1": 10.0, "4": 24.0})


@dataclass
class FusedStep(PlainStep):
    """The same, its jobs' members together."""

    fuse: int = 4

    def plan(self, context: StepContext) -> StepPlan:
        plan = super().plan(context)
        jobs = (replace(job, settings={**job.settings, "fuse": self.fuse}) for job in plan.jobs)
        return replace(plan, jobs=tuple(jobs))


def fused(number: int, together: int = 3) -> MemberOutcome:
    return outcome(number).model_copy(update={"engine": "fused", "num_together": together})


def planned(bench: Bench, *jobs: int, fuse: int = 4, generations: int = 1) -> str:
    study = bench.create()
    worker = bench.worker("describer")
    bench.finish(bench.must_claim(worker), description=description(fusing=TOGETHER))
    step = FusedStep(StepKind.INITIAL_LOSS, jobs, fuse=fuse, generations=generations)
    bench.advance(study, recipe(step))
    return study


def run_of(claim: Claim) -> tuple[int, list[int]]:
    """How many it may train together, and its members."""
    assert claim.job.run is not None
    return claim.job.run.fuse, [member.trial for member in claim.job.run.members]


def trial(bench: Bench, study: str, number: int = 0) -> TrialView:
    with bench.database.read() as session:
        return trials.get_trial(session, study, number)


def fail(bench: Bench, claim: Claim, kind: str) -> None:
    bench.finish(claim, AttemptState.FAILED, error={"kind": kind, "message": "bad news"})


def lose(bench: Bench, claim: Claim) -> None:
    with bench.database.write() as session:
        attempts.lose(
            session,
            claim.attempt,
            cause="lease_expired",
            settings=bench.settings,
            expired_only=False,
        )


def test_a_plan_says_how_many_train_together(bench: Bench) -> None:
    study = planned(bench, 3)
    claim = bench.must_claim(bench.worker())
    assert run_of(claim) == (4, [0, 1, 2])
    assert trial(bench, study).engine is None  # nothing is known yet
    bench.points(claim, outcomes=[fused(0), fused(1), fused(2)])
    bench.finish(claim)
    view = trial(bench, study)
    assert (view.engine, view.num_together, view.engine_reason) == ("fused", 3, None)


@pytest.mark.parametrize("kind", sorted(REASONS))
def test_what_failed_together_is_tried_again_one_by_one(bench: Bench, kind: str) -> None:
    study = planned(bench, 3)
    worker = bench.worker()
    first = bench.must_claim(worker)
    bench.points(first, block(0, 2.0), outcomes=[fused(0)])
    fail(bench, first, kind)
    if kind == "crashed":  # once may be an accident
        accident = bench.must_claim(worker)
        assert run_of(accident) == (4, [1, 2])
        fail(bench, accident, kind)

    second = bench.must_claim(worker)

    assert run_of(second) == (1, [1, 2])  # what has ended keeps its result
    bench.points(second, outcomes=[outcome(1)])
    own = outcome(2).model_copy(update={"engine_reason": "the worker's own\x00reason"})
    bench.points(second, outcomes=[own])
    bench.finish(second)
    views = [trial(bench, study, number) for number in range(3)]
    assert [each.state for each in views] == [TrialState.COMPLETE] * 3
    assert [each.engine for each in views] == ["fused", "plain", "plain"]
    assert [each.engine_reason for each in views] == [
        None,
        REASONS[kind],
        "the worker's own\\x00reason",
    ]


@pytest.mark.parametrize("kind", ["error", "out_of_memory"])
def test_what_fails_one_by_one_too_has_failed(bench: Bench, kind: str) -> None:
    study = planned(bench, 2)
    worker = bench.worker()
    fail(bench, bench.must_claim(worker), kind)
    fail(bench, bench.must_claim(worker), kind)

    assert bench.claim(worker) is None
    view = trial(bench, study)
    assert (view.state, view.cause) == (TrialState.FAILED, TrialCause(kind))
    assert (view.engine, view.num_together) == ("plain", 1)
    assert view.engine_reason == REASONS[kind]


def test_crashes_together_and_alone_are_counted_as_one_kind(bench: Bench) -> None:
    planned(bench, 2)
    worker = bench.worker()
    handed = []
    for _ in range(bench.settings.max_attempt_failures):
        claim = bench.must_claim(worker)
        handed.append(run_of(claim)[0])
        fail(bench, claim, "crashed")
    assert handed == [4, 4] + [1] * (bench.settings.max_attempt_failures - 2)
    assert bench.claim(worker) is None


def test_what_was_lost_or_taken_away_is_trained_as_recorded(bench: Bench) -> None:
    study = planned(bench, 3)
    worker = bench.worker()
    lose(bench, bench.must_claim(worker))
    second = bench.must_claim(worker)
    assert run_of(second) == (4, [0, 1, 2])
    bench.finish(second, AttemptState.PREEMPTED)
    third = bench.must_claim(worker)
    assert run_of(third) == (4, [0, 1, 2])
    fail(bench, third, "checkpoint_gone")
    fourth = bench.must_claim(worker)
    assert run_of(fourth) == (4, [0, 1, 2])
    # Once it has failed, a loss does not bring the company back.
    fail(bench, fourth, "error")
    fifth = bench.must_claim(worker)
    assert run_of(fifth) == (1, [0, 1, 2])
    lose(bench, fifth)
    assert run_of(bench.must_claim(worker)) == (1, [0, 1, 2])
    assert trial(bench, study).engine is None


def test_an_attempt_that_is_handed_out_twice_is_the_same(bench: Bench) -> None:
    planned(bench, 2)
    worker = bench.worker()
    fail(bench, bench.must_claim(worker), "error")
    once = bench.must_claim(worker)
    again = bench.must_claim(worker)  # the first answer was lost
    assert once.attempt == again.attempt
    assert run_of(once) == run_of(again) == (1, [0, 1])


def test_how_it_trained_stays_unsaid_where_no_outcome_said_it(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(update={"max_lost_attempts": 1})
    study = planned(bench, 3)
    lose(bench, bench.must_claim(bench.worker()))
    view = trial(bench, study)
    assert (view.state, view.cause) == (TrialState.FAILED, TrialCause.LOST)
    assert (view.engine, view.num_together, view.engine_reason) == (None, None, None)


@pytest.mark.parametrize("kind", ["error", "out_of_memory", "task"])
def test_an_error_alone_is_not_tried_again(bench: Bench, kind: str) -> None:
    study = planned(bench, 2, fuse=1)
    worker = bench.worker()
    fail(bench, bench.must_claim(worker), kind)
    assert bench.claim(worker) is None
    assert trial(bench, study).engine == "plain"


def test_a_task_that_cannot_be_used_is_not_tried_again(bench: Bench) -> None:
    planned(bench, 2)
    worker = bench.worker()
    fail(bench, bench.must_claim(worker), "task")
    assert bench.claim(worker) is None


class Company(Falling):
    """Trains together what it may."""

    def train(self, run: Any, member: Any) -> Answer:
        answer = super().train(run, member)
        together = min(run.fuse, len(run.members))
        return replace(answer, outcome=fused(member.trial, together))


def test_a_study_says_once_how_its_trials_train(bench: Bench) -> None:
    study = planned(bench, 3, 2)
    ScriptedDispatcher(bench.database, Company(), settings=bench.settings).submit([])
    bench.advance(study, recipe(FusedStep(StepKind.INITIAL_LOSS, (3, 2))))
    said = (
        "Trials train up to 4 at a time where they agree in hidden: 2.4 times as fast as one by "
        "one."
    )
    with bench.database.read() as session:
        view = studies.get(session, study)
        document = studies.report(session, study)
    assert view.fusing == TOGETHER
    assert view.fusing.sentence == document.fusing_sentence == said
    assert markdown(document).count(said) == 1
    assert [each.num_together for each in document.trials] == [3, 3, 3, 2, 2]
    table = "".join(lines(bench.database.read, study)).splitlines()
    assert "seconds,engine,num_together,engine_reason" in table[0]
    assert ",fused,3,," in table[1]


def test_what_was_measured_of_it_is_never_compared(bench: Bench) -> None:
    study = planned(bench, 2)
    with bench.database.read() as session:
        document = studies.report(session, study)
    described = document.description
    assert described is not None
    slower = described.model_copy(update={"fusing": Fusing(chunk=1, reason="no faster: 0.8")})
    other = document.model_copy(
        update={"description": slower, "fusing_sentence": slower.fusing.sentence}
    )
    assert comparable(other) == comparable(document)


def test_before_the_task_is_described_nothing_is_said(bench: Bench) -> None:
    study = bench.create()
    with bench.database.read() as session:
        assert studies.get(session, study).fusing is None
        document = studies.report(session, study)
    assert document.fusing_sentence is None
    assert "at a time" not in markdown(document)
