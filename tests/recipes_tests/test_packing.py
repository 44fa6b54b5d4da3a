"""Trials that train together: their jobs, their numbers, and what they are taken to cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.budget import Budget, BudgetState, Spent
from recipes.fusing import Fusing
from recipes.packing import pack
from recipes.pricing import price
from recipes.run import RunSpec
from recipes.search.allowance import AFTER_COARSE, SPEED_UP, allowance
from recipes.search.runs import job_plans
from recipes.space import Categorical, Float, ParameterValue, SearchSpace
from recipes.step import (
    Continued,
    JobPlan,
    StepContext,
    StepKind,
    StepPlan,
    TrialPlan,
    TrialResult,
)
from recipes.steps.coarse_search import CoarseSearch
from recipes.steps.initial_loss import InitialLoss
from recipes.steps.lr_finder import LrFinder
from recipes.steps.overfit_sample import OverfitSample
from recipes.study import StudyConfig
from recipes.trial import TrialPurpose
from tests.recipes_tests.builders import context, description, evaluation, trial
from tests.simulated import Simulated
from tests.whole_study import Trained

FUSING = Fusing(chunk=16, rates={"1": 100.0, "4": 300.0, "16": 800.0})
SPACE = SearchSpace(
    {"lr": Float(1e-4, 1.0, log=True), "batch_size": Categorical([32, 64, 128, 256])}
)


ONE_FORM = SearchSpace({"lr": Float(1e-4, 1.0, log=True)})


def studying(fusing: Fusing = FUSING, *, slots: int = 2, **fields: object) -> StepContext:
    task = description(space=SPACE, fusing=fusing)
    budget = BudgetState(slots=slots)
    return replace(context(task=task), budget=budget, **fields)  # type: ignore[arg-type]


def sizes(plan: StepPlan) -> list[int]:
    return [len(job.trials) for job in plan.jobs]


def fuses(plan: StepPlan) -> set[int]:
    return {job.run_spec(range(len(job.trials))).fuse for job in plan.jobs}


def by_number(plan: StepPlan) -> dict[int, Mapping[str, ParameterValue]]:
    numbers = plan.numbers(0)
    return {
        number: each.params
        for job, own in zip(plan.jobs, numbers, strict=True)
        for number, each in zip(own, job.trials, strict=True)
    }


def new(lr: float) -> TrialPlan:
    return TrialPlan({"lr": lr, "batch_size": 64}, 1, 2, TrialPurpose.SEARCH, "search")


@pytest.mark.parametrize(
    ("count", "slots", "expected"),
    [(32, 2, [16, 16]), (8, 2, [4, 4]), (20, 1, [10, 10]), (2, 4, [1, 1])],
)
def test_a_rung_is_spread_over_the_slots(count: int, slots: int, expected: list[int]) -> None:
    trials = [new(0.1 / (at + 1)) for at in range(count)]
    jobs = job_plans(studying(slots=slots), trials, epochs=5, until=1)
    assert [len(job.trials) for job in jobs] == expected
    assert {job.settings.get("fuse", 1) for job in jobs} == {16 if expected[0] > 1 else 1}


@pytest.mark.parametrize("slots", [1, 4])
def test_whether_the_order_is_shared_is_that_of_all_who_could_train_together(slots: int) -> None:
    def jobs(*data_seeds: int) -> tuple[JobPlan, ...]:
        trials = [replace(new(0.1), data_seed=seed) for seed in data_seeds]
        return pack(studying(slots=slots), trials, {"iterations": 1}, size=1)

    assert {job.settings["shares_order"] for job in jobs(*[2] * 12)} == {True}
    assert {job.settings["shares_order"] for job in jobs(*[2] * 11, 3)} == {False}
    assert all(job.run_spec(range(len(job.trials))).shares_order for job in jobs(*[2] * 12))


def test_trials_that_go_on_are_spread_likewise() -> None:
    waiting = [Continued(number, {"lr": 0.1}, 1, 2) for number in (9, 4, 7, 1, 3, 2)]
    plan = StepPlan(job_plans(studying(), waiting, epochs=5, until=2, done=1))
    assert sizes(plan) == [3, 3]
    assert plan.numbers(50) == [[9, 4, 7], [1, 3, 2]]
    assert plan.new_trials == ()


def test_one_by_one_nothing_of_it_is_planned() -> None:
    alone = studying(Fusing(chunk=1, reason="no faster", rates={"1": 9.0, "4": 8.0}))
    assert fuses(CoarseSearch().plan(alone)) == {1}
    assert set(sizes(CoarseSearch().plan(alone))) == {1}
    assert sizes(OverfitSample().plan(alone)) == [1, 1, 1, 1]
    assert set(sizes(LrFinder().plan(alone))) == {4, 3}
    assert sizes(InitialLoss().plan(alone)) == [3, 2]


def test_the_first_steps_train_together() -> None:
    together = studying()
    assert sizes(InitialLoss().plan(together)) == [5]
    assert sizes(OverfitSample().plan(together)) == [4]
    assert sizes(LrFinder().plan(together)) == [9, 10]
    for step in (InitialLoss(), OverfitSample(), LrFinder()):
        assert fuses(step.plan(together)) == {16}


@settings(deadline=None, max_examples=40)
@given(slots=st.integers(1, 9), chunk=st.integers(1, 40))
def test_numbers_depend_neither_on_the_slots_nor_on_the_chunk(slots: int, chunk: int) -> None:
    plain = CoarseSearch().plan(studying(Fusing(chunk=1)))
    plan = CoarseSearch().plan(studying(Fusing(chunk=chunk), slots=slots))
    assert by_number(plan) == by_number(plain)
    in_order = [params for _, params in sorted(by_number(plan).items())]
    assert [each.params for each in plan.new_trials] == in_order
    for job in plan.jobs:
        if job.settings.get("fuse", 1) > 1:
            assert len({each.params["batch_size"] for each in job.trials}) == 1
            assert len(job.trials) <= chunk


def test_old_and_new_trials_may_stand_in_one_plan() -> None:
    trials = [new(0.3), Continued(4, {"lr": 0.2, "batch_size": 32}, 1, 2), new(0.1)]
    plan = StepPlan(pack(studying(slots=1), trials, {"iterations": 1}, size=1))
    assert plan.numbers(7) == [[7], [4], [8]]
    assert fuses(plan) == {1}


def test_those_without_company_go_a_few_to_a_job() -> None:
    trials = [
        TrialPlan({"lr": 0.1, "batch_size": size}, 1, 2, TrialPurpose.SEARCH, "search")
        for size in (64, 32, 64, 128, 64, 256, 64)
    ]
    plan = StepPlan(pack(studying(slots=1), trials, {"iterations": 1}, size=2))
    assert plan.numbers(0) == [[0, 2, 4, 6], [1, 3], [5]]
    assert fuses(plan) == {1, 16}


def test_fewer_together_are_dearer_each() -> None:
    """A rung of half as many is not half as dear, where the chunk gains by its size."""
    limited = replace(
        studying(slots=1, space=ONE_FORM),
        trials=[_trained(number, seconds=1.0, together=16) for number in range(16)],
        budget=BudgetState(Budget(wall_seconds=100.0), Spent(), Spent(wall_seconds=16.0), slots=1),
    )
    allowed = allowance(limited, reserve=AFTER_COARSE)
    assert allowed.seconds_per_epoch == pytest.approx(8.0)  # alone
    whole, quarter = allowed.without(16, 1), allowed.without(4, 1)
    assert allowed.wall_seconds - whole.wall_seconds == pytest.approx(16 * 1.0)
    assert allowed.wall_seconds - quarter.wall_seconds == pytest.approx(4 * 8 / 3)
    assert allowed.fits(16, 1)
    assert not allowed.fits(2, 5)


def _trained(number: int, *, seconds: float, together: int) -> TrialResult:
    found = trial(
        number,
        params={"lr": 0.1},
        evaluations=tuple(evaluation("val", 16 * epoch, 2.0) for epoch in range(2)),
    )
    update = {"seconds": seconds, "engine": "fused", "num_together": together}
    return replace(found, outcome=found.outcome.model_copy(update=update))


def test_step_three_says_what_training_together_gained() -> None:
    trials = [_trained(number, seconds=2.0, together=4) for number in range(4)]
    report = LrFinder().judge(replace(studying(), trials=trials))
    assert report.measured[SPEED_UP] == pytest.approx(3.0)
    alone = [_trained(number, seconds=2.0, together=1) for number in range(4)]
    assert SPEED_UP not in LrFinder().judge(replace(studying(), trials=alone)).measured


def test_a_price_before_anything_ran_reckons_with_the_measured_gain() -> None:
    config = StudyConfig(name="n", task="digits")

    def seconds(fusing: Fusing, kind: StepKind, slots: int = 1) -> float:
        prices = price(description(fusing=fusing), config, 1.0, slots)
        return next(each.seconds for each in prices if each.kind is kind)

    plain = Fusing(chunk=1)
    finder = StepKind.LR_FINDER
    assert seconds(plain, finder) / seconds(FUSING, finder) == pytest.approx(
        FUSING.speed_up(11), rel=1e-6
    )
    for kind in (StepKind.OVERFIT_SAMPLE, StepKind.COARSE_SEARCH, StepKind.FINE_SEARCH):
        assert 1.5 < seconds(plain, kind) / seconds(FUSING, kind) < 8


class Fused(Simulated):
    """Trains together what a run allows, as fast as was said to be measured."""

    def train_members(self, run: RunSpec, continued: set[int]) -> list[Trained]:
        together = min(run.fuse, len(run.members))
        alone = self.seconds_per_epoch
        self.seconds_per_epoch = alone / self.description.fusing.speed_up(together)
        trained = super().train_members(run, continued)
        self.seconds_per_epoch = alone
        engine = {"engine": "fused" if together > 1 else "plain", "num_together": together}
        return [each._replace(outcome=each.outcome.model_copy(update=engine)) for each in trained]


def accuracy(params: Mapping[str, ParameterValue], share: float, seed: int) -> float:
    """Best at 3e-3."""
    distance = math.log10(float(params["lr"]) / 3e-3)
    return 0.1 + max(0.0, 0.8 - 0.1 * distance**2) * share


def fused_study(fusing: Fusing, **fields: object) -> Fused:
    study = Fused(accuracy, SPACE, **fields)  # type: ignore[arg-type]
    study.description = study.description.model_copy(update={"fusing": fusing})
    study.run()
    return study


def test_a_study_finds_the_same_however_its_trials_are_grouped() -> None:
    plain = fused_study(Fusing(chunk=1), slots=1, max_rounds=1)
    fused = fused_study(FUSING, slots=2, max_rounds=1)
    assert {each.outcome.engine for each in fused.trials.values()} == {"plain", "fused"}
    assert {n: (t.params, t.seed, t.outcome.state) for n, t in fused.trials.items()} == {
        n: (t.params, t.seed, t.outcome.state) for n, t in plain.trials.items()
    }
    assert [each.sentence for each in fused.history] == [each.sentence for each in plain.history]


@pytest.mark.parametrize("seconds", [20, 60])
def test_a_budget_of_seconds_is_kept_where_trials_train_together(seconds: float) -> None:
    study = fused_study(FUSING, slots=2, seconds_per_epoch=0.5, budget={"wall_seconds": seconds})
    used = study.spent().wall_seconds / seconds
    assert 0.6 <= used <= 1.1, [each.sentence for each in study.history]
    assert len(study.trials) > 30
