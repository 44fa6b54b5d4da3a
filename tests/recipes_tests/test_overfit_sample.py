"""Step 2: what it plans, and what it says when a sample is or is not memorised."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.description import OverlapDescription, SplitDescription
from recipes.finding import Severity
from recipes.step import StepState
from recipes.steps.overfit_sample import (
    ITERATIONS,
    LEARNING_RATES,
    LONGER,
    LONGER_ITERATIONS,
    LONGEST,
    LONGEST_ITERATIONS,
    OTHER,
    OTHER_SEED,
    OWN,
    RESCUE_LEARNING_RATES,
    ZEROED,
    OverfitSample,
)
from recipes.trial import TrialCause, TrialState
from tests.recipes_tests.builders import (
    constant_targets,
    context,
    description,
    evaluation,
    regression,
    trial,
)

STEP = OverfitSample()
FITTED = [2.3, 1.0, 0.2, *[0.01] * 20]
CHANCE = [2.31, *[2.30] * 120]


def memorised(number=0, *, label=OWN, lr=1e-2, losses=FITTED, right=1.0, **fields):
    return trial(
        number,
        label=label,
        params={"lr": lr, "optimizer": "sgd"},
        losses=losses,
        accuracies=[right] * len(losses),
        evaluations=(evaluation("train", len(losses), losses[-1], n=32),),
        **fields,
    )


def zeroed(number=9, losses=CHANCE):
    return memorised(number, label=ZEROED, losses=losses, right=0.1)


def judged(*trials, task=None, **fields):
    return STEP.judge(context(trials, task=task, **fields))


def codes(report):
    return [finding.code for finding in report.findings]


def test_first_plans_a_few_rates_with_regularisation_off():
    plan = STEP.plan(context())

    runs = [job.run_spec([0]) for job in plan.jobs]
    assert [run.members[0].params["lr"] for run in runs] == list(LEARNING_RATES)
    assert {run.iterations for run in runs} == {ITERATIONS}
    assert {run.sample for run in runs} == {runs[0].sample}
    assert runs[0].sample.num_samples == 32
    assert not any(run.regularisation for run in runs)


def test_a_fixed_rate_is_tried_too():
    plan = STEP.plan(context(fixed={"lr": 0.03}))

    assert 0.03 in [job.trials[0].params["lr"] for job in plan.jobs]


def test_a_tiny_training_set_is_the_sample():
    task = description(splits=(SplitDescription(name="train", num_samples=9, origin="task"),))

    assert STEP.plan(context(task=task)).jobs[0].run_spec([0]).sample.num_samples == 9


def test_a_memorised_sample_is_checked_against_zeroed_inputs_and_then_judged():
    own = [memorised(at, lr=lr) for at, lr in enumerate(LEARNING_RATES)]
    plan = STEP.plan(context(own))

    (job,) = plan.jobs
    assert job.trials[0].label == ZEROED
    assert job.run_spec([4]).sample.zero_inputs
    assert not STEP.plan(context([*own, zeroed()])).jobs


def test_a_sample_not_memorised_gets_another_optimizer_first():
    own = [memorised(at, losses=CHANCE, right=0.2) for at in range(4)]
    plan = STEP.plan(context(own))

    assert {job.trials[0].label for job in plan.jobs} == {OTHER}
    assert [job.trials[0].params["lr"] for job in plan.jobs] == list(RESCUE_LEARNING_RATES)
    assert plan.jobs[0].trials[0].params["optimizer"] == "adamw"


def falling(*, to, over=LONGER_ITERATIONS):
    """From 2.3, by the same share at each iteration."""
    return [2.3 * (to / 2.3) ** (at / (over - 1)) for at in range(over)]


def planned_after(losses, *, label=LONGER, right=0.9):
    own = [memorised(at, losses=[2.3, *[0.9] * ITERATIONS], right=0.5) for at in range(4)]
    if label == LONGEST:
        own.append(memorised(5, label=LONGER, losses=falling(to=0.3), right=0.8))
    plan = STEP.plan(context([*own, memorised(6, label=label, losses=losses, right=right)]))
    return plan, {job.trials[0].label for job in plan.jobs}


@pytest.mark.parametrize(
    ("losses", "right", "label"),
    [
        (falling(to=0.06), 1.0, LONGEST),
        (falling(to=0.02), 0.97, LONGEST),  # one sample is missing
        (falling(to=0.9), 0.9, OTHER),  # it would end at 0.05 after 4,100
        ([*falling(to=0.4, over=500), *[0.4] * 500], 0.9, OTHER),  # it stands
        ([*falling(to=0.2, over=500), *falling(to=0.4)[-500:]], 0.9, OTHER),  # it rises
        ([2.3, *[0.0] * 499, *[0.4] * 500], 0.9, OTHER),
        ([2.3], 0.9, OTHER),
    ],
)
def test_whoever_would_get_there_gets_the_time(losses, right, label):
    plan, labels = planned_after(losses, right=right)

    assert labels == {label}
    if label == LONGEST:
        assert plan.jobs[0].run_spec([5]).iterations == LONGEST_ITERATIONS
        assert "give it 4000 iterations" in plan.sentence


def test_nobody_gets_the_most_time_twice():
    _, labels = planned_after(falling(to=0.06, over=LONGEST_ITERATIONS), label=LONGEST)
    assert labels == {OTHER}


def test_zeroed_inputs_get_as_much_time_as_the_best_setting():
    plan, labels = planned_after(falling(to=0.01), label=LONGEST, right=1.0)
    assert labels == {ZEROED}
    assert plan.jobs[0].run_spec([5]).iterations == LONGEST_ITERATIONS


def test_a_fixed_optimizer_is_not_replaced():
    own = [memorised(at, losses=CHANCE, right=0.2) for at in range(4)]
    plan = STEP.plan(context(own, fixed={"optimizer": "sgd"}))

    ((trial,),) = [job.trials for job in plan.jobs]
    assert (trial.label, trial.params["optimizer"]) == (OTHER_SEED, "sgd")
    again = dataclasses.replace(memorised(4, losses=CHANCE, right=0.2), label=OTHER_SEED, seed=9)
    plan = STEP.plan(context([*own, again], fixed={"optimizer": "sgd"}))
    assert {job.trials[0].label for job in plan.jobs} == {ZEROED}


def test_no_other_seed_where_something_left_chance():
    own = [memorised(at, losses=CHANCE, right=0.2) for at in range(3)]
    own.append(memorised(3, losses=[2.3, *[1.3] * 99], right=0.4))
    plan = STEP.plan(context(own, fixed={"optimizer": "sgd"}))

    assert OTHER_SEED not in {job.trials[0].label for job in plan.jobs}


def test_nothing_finite_leaves_nothing_to_compare():
    gone = [memorised(at, losses=[math.nan], cause=TrialCause.NON_FINITE) for at in range(4)]
    other = [
        memorised(at, label=OTHER, losses=[math.nan], cause=TrialCause.NON_FINITE) for at in (4, 5)
    ]

    assert not STEP.plan(context([*gone, *other])).jobs


def test_passes_with_the_setting_that_was_quickest():
    slow = memorised(0, lr=1e-3, losses=[2.3, *[1.0] * 90, *[0.01] * 10], iterations=100)
    quick = memorised(1, lr=1e-1, iterations=23)
    report = judged(slow, quick, zeroed())

    assert report.verdict is StepState.PASSED
    assert report.learned == {"overfit_lr": 1e-1, "overfit_optimizer": "sgd"}
    assert "32 samples memorised after 23 iterations at learning rate 1e-1" in report.sentence
    assert "with zeroed inputs it stays at 2.3" in report.sentence
    assert report.figures[0].y_log
    assert report.evidence["p_needs_input"] < 0.05


def test_all_right_at_a_high_loss_is_not_memorised():
    report = judged(memorised(losses=[2.3, *[1.47] * 50]), zeroed())

    assert report.verdict is StepState.FAILED
    assert codes(report) == ["cannot_overfit"]


def test_a_network_that_ignores_its_input_is_named_first():
    report = judged(memorised(losses=CHANCE, right=0.1), zeroed())

    assert report.verdict is StepState.FAILED
    assert codes(report) == ["ignores_input", "cannot_overfit", "stuck_at_chance"]
    assert "ignores its input" in report.sentence
    assert report.findings[1].causes[0].code == "ignores_input"


def test_a_loss_that_stays_at_chance_is_told_from_one_that_is_on_its_way():
    at_chance = judged(memorised(losses=CHANCE, right=0.1), zeroed(losses=[2.9] * 120))
    on_its_way = judged(
        memorised(losses=[2.3, 1.5, *[0.6] * 120], right=0.8), zeroed(losses=CHANCE)
    )

    assert codes(at_chance) == ["cannot_overfit", "stuck_at_chance"]
    assert codes(on_its_way) == ["cannot_overfit"]
    assert on_its_way.findings[0].causes[0].code == "too_slow"


@pytest.mark.parametrize(
    ("causes", "code"),
    [
        ([TrialCause.NON_FINITE] * 3, "non_finite_loss"),
        ([TrialCause.NON_FINITE, TrialCause.DIVERGED, TrialCause.DIVERGED], "diverged"),
    ],
    ids=["all NaN", "some NaN"],
)
def test_losses_that_explode_at_every_rate(causes, code):
    runs = [
        memorised(at, lr=10.0**-at, losses=[2.3, math.inf], cause=cause, iterations=1)
        for at, cause in enumerate(causes)
    ]
    report = judged(*runs)

    assert report.verdict is StepState.FAILED
    assert codes(report)[0] == code
    assert "1e-2" in report.sentence


def test_runs_that_raise_show_the_error():
    raised = [
        trial(
            at,
            label=OWN,
            state=TrialState.FAILED,
            cause=TrialCause.ERROR,
            message="boom (m.py:3)",
            iterations=0,
        )
        for at in range(4)
    ]
    report = judged(*raised)

    assert report.verdict is StepState.FAILED
    assert "boom (m.py:3)" in report.sentence


def test_conflicting_labels_and_frozen_parameters_are_causes():
    task = description(overlap=OverlapDescription(conflicting=4))
    frozen = STEP.judge(context([memorised(losses=CHANCE, right=0.1)]))
    finding = frozen.findings[0].model_copy(update={"code": "frozen_parameters"})
    history = [frozen.model_copy(update={"findings": (finding,)})]

    report = judged(
        memorised(losses=CHANCE, right=0.1), zeroed(losses=[2.9] * 120), task=task, history=history
    )

    assert [cause.code for cause in report.findings[0].causes] == [
        "frozen_parameters",
        "conflicting_labels",
        "capacity_or_bug",
    ]


def test_initial_weights_that_step_one_noted_are_the_first_cause():
    failed = STEP.judge(context([memorised(losses=CHANCE, right=0.1)]))
    noted = failed.findings[0].model_copy(
        update={"code": "activation_scale_drift", "severity": Severity.INFO}
    )
    history = [failed.model_copy(update={"findings": (noted,)})]

    report = judged(memorised(losses=CHANCE, right=0.1), zeroed(), history=history)
    finding = next(each for each in report.findings if each.code == "cannot_overfit")

    assert finding.causes[0].code == "init_scale"
    assert "ignores_input" not in [cause.code for cause in finding.causes]
    assert "init=kaiming" in finding.action
    assert [each.value for each in finding.changes] == ["kaiming"]


def test_regression_is_memorised_at_a_hundredth_of_the_variance():
    def run(loss):
        return trial(label=OWN, params={"lr": 0.1, "optimizer": "sgd"}, losses=[1.0, *[loss] * 9])

    assert judged(run(0.009), task=regression()).verdict is StepState.PASSED
    assert judged(run(0.02), task=regression()).verdict is StepState.FAILED


def test_targets_of_one_value_are_memorised_at_a_hundredth_of_the_start():
    task = regression(targets=constant_targets(3.5))

    def run(loss):
        return trial(label=OWN, params={"lr": 0.1, "optimizer": "sgd"}, losses=[12.0, *[loss] * 9])

    assert judged(run(0.1), task=task).verdict is StepState.PASSED
    assert judged(run(0.2), task=task).verdict is StepState.FAILED


def test_a_network_does_not_ignore_its_input_where_all_targets_are_the_same():
    losses = [12.0, *[0.2] * 120]
    report = judged(
        memorised(losses=losses),
        zeroed(losses=losses),
        task=regression(targets=constant_targets(3.5)),
    )

    assert codes(report) == ["cannot_overfit"]
    assert "ignores_input" not in [cause.code for cause in report.findings[0].causes]


def test_a_custom_loss_is_memorised_at_a_hundredth_of_its_start():
    def run(loss):
        return trial(label=OWN, losses=[50.0, *[loss] * 9])

    task = description(kind="custom")
    assert judged(run(0.4), task=task).verdict is StepState.PASSED
    assert judged(run(0.6), task=task).verdict is StepState.FAILED


@pytest.mark.parametrize(
    "losses",
    [[-5.0, *[-200.0] * 20], [0.0, *[-3.0] * 20], [-5.0] * 21, [0.0] * 21],
    ids=["falls", "falls from 0", "stays", "stays at 0"],
)
@pytest.mark.parametrize(
    "task", [description(kind="custom"), regression(own_loss=True)], ids=["custom", "regression"]
)
def test_a_loss_without_a_floor_is_inconclusive_where_it_starts_at_zero_or_below(losses, task):
    runs = [
        trial(at, label=OWN, losses=losses, evaluations=(evaluation("train", 20, -1.0, n=32),))
        for at in range(4)
    ]
    report = judged(*runs, task=task)

    assert report.verdict is StepState.INCONCLUSIVE
    assert report.findings == ()
    assert "cannot tell" in report.sentence
    assert "32 samples" in report.sentence
    assert report.learned == {}
    assert report.action.kind == "continue"
    assert not STEP.plan(context(runs, task=task)).jobs


def test_a_loss_that_starts_below_zero_may_still_explode_at_every_rate():
    task = description(kind="custom")
    runs = [
        trial(at, label=OWN, losses=[-5.0, math.inf], cause=TrialCause.NON_FINITE, iterations=1)
        for at in range(4)
    ]

    assert judged(*runs, task=task).verdict is StepState.FAILED
    assert {job.trials[0].label for job in STEP.plan(context(runs, task=task)).jobs} == {OTHER}


@given(
    losses=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=300),
    other=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=300),
)
def test_any_curves_get_a_verdict(losses, other):
    report = judged(trial(0, label=OWN, losses=losses), trial(1, label=ZEROED, losses=other))

    assert report.verdict in (StepState.PASSED, StepState.FAILED)
    assert report.model_dump_json()
