"""Step 3: which rates it tries, and how it reads what they did."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes import Float, SearchSpace
from recipes.curve import Curve
from recipes.evidence.lr_finder import RateResult, judge_rate
from recipes.plan import wants_another_pass
from recipes.step import StepState
from recipes.steps.lr_finder import RATES_PER_JOB, LrFinder, log_grid
from recipes.trial import TrialCause, TrialState
from tests.recipes_tests.builders import context, description, evaluation, trial

STEP = LrFinder()
LN10 = math.log(10)


def run(number, lr, after, *, before=2.31, train_after=None, ratio=1e-3, **fields):
    """A hundred iterations at ``lr``; ``after`` of None never came back."""
    exploded = after is None
    ends = after if train_after is None else train_after
    return trial(
        number,
        params={"lr": lr},
        losses=[before, math.nan] if exploded else [before, *[ends] * 30],
        curves={("update_ratio", "train"): Curve((0, 10), (ratio, ratio))},
        cause=TrialCause.NON_FINITE if exploded else fields.pop("cause", TrialCause.FINISHED),
        evaluations=(evaluation("val", 0, before),)
        if exploded
        else (evaluation("val", 0, before), evaluation("val", 100, after)),
        **fields,
    )


def finder(*afters, lowest=1e-5, **fields):
    """Judge one rate a decade from ``lowest`` on."""
    runs = [run(at, lowest * 10.0**at, after) for at, after in enumerate(afters)]
    return STEP.judge(context(runs, **fields))


def codes(report):
    return [finding.code for finding in report.findings]


def rates_of(plan):
    return [trial.params["lr"] for job in plan.jobs for trial in job.trials]


def test_tries_three_rates_a_decade_a_decade_beyond_the_soft_range():
    plan = STEP.plan(context(learned={"initial_loss": 2.3}))

    rates = rates_of(plan)
    assert rates == log_grid(1e-6, 10.0)
    assert len(rates) == 22
    run_spec = plan.jobs[0].run_spec(range(RATES_PER_JOB))
    assert run_spec.iterations == 100
    assert run_spec.sample.num_samples is None
    assert run_spec.members[0].params["weight_decay"] == 1e-4
    assert run_spec.stop_if_loss_above == pytest.approx(6.9)
    assert all(len(job.trials) <= RATES_PER_JOB for job in plan.jobs)


@pytest.mark.parametrize(
    ("space", "fixed", "low", "high"),
    [
        ({"lr": Float(1e-3, 1e-1, log=True, hard=True)}, {}, 1e-3, 1e-1),
        ({"lr": Float(1e-3, 1e-1, log=True)}, {}, 1e-4, 1.0),
        ({}, {"lr": 0.1}, 1e-6, 1.0),
        ({"lr": Float(0.0, 0.5)}, {}, 1e-6, 1.0),
    ],
    ids=["hard", "soft", "fixed", "linear from zero"],
)
def test_the_range_follows_the_space(space, fixed, low, high):
    rates = rates_of(STEP.plan(context(space=SearchSpace(space), fixed=fixed)))

    assert rates[0] == pytest.approx(low)
    assert rates[-1] == pytest.approx(high)


def test_a_fixed_weight_decay_stays_fixed():
    plan = STEP.plan(context(fixed={"weight_decay": 0.01}))

    assert plan.jobs[0].trials[0].params["weight_decay"] == 0.01


def test_learns_the_interval_around_the_best_rate():
    report = finder(2.31, 2.29, 1.5, 0.4, 1.9, None)

    assert report.verdict is StepState.PASSED
    assert report.learned["lr_best"] == pytest.approx(1e-2)
    assert report.learned["lr_low"] == pytest.approx(1e-3)
    assert report.learned["lr_high"] == pytest.approx(1e-1)
    assert report.learned["lr_too_high"] == pytest.approx(1.0)
    assert "Learning rates 1e-3 to 1e-1" in report.sentence
    assert report.action.kind == "continue"
    assert report.figures[0].shaded == (report.learned["lr_low"], report.learned["lr_high"])


def test_among_rates_that_cannot_be_told_apart_the_tamest_is_best():
    report = finder(2.3, 0.52, 0.505, 0.50, None)

    assert report.learned["lr_best"] == pytest.approx(1e-4)


def test_a_rate_beyond_the_interval_that_kills_without_exploding_is_too_high():
    report = finder(2.31, 1.5, 0.4, 2.3, None)

    assert report.learned["lr_too_high"] == pytest.approx(1e-2)
    assert "at 1e-2 it does not" in report.sentence


def test_says_whether_a_fixed_rate_is_inside():
    assert "5e-3 is inside" in finder(2.3, 2.3, 1.0, 0.5, None, fixed={"lr": 5e-3}).sentence
    assert "9e-1 is outside" in finder(2.3, 2.3, 1.0, 0.5, None, fixed={"lr": 0.9}).sentence


@pytest.mark.parametrize(
    ("afters", "low", "high"),
    [((2.3, 2.3, 1.5, 0.4), 1e-5, 1e-1), ((0.4, 1.5, 2.3, None), 1e-6, 1e-2)],
    ids=["above", "below"],
)
def test_a_best_rate_at_an_end_asks_for_a_wider_pass(afters, low, high):
    report = finder(*afters)

    assert report.verdict is StepState.PASSED
    assert wants_another_pass([report])
    assert report.action.changes == {"low": pytest.approx(low), "high": pytest.approx(high)}


def test_a_hard_range_is_not_left():
    space = SearchSpace({"lr": Float(1e-5, 1e-2, log=True, hard=True)})

    assert not wants_another_pass([finder(2.3, 2.3, 1.5, 0.4, space=space)])


def test_a_second_pass_tries_only_what_is_new_and_judges_everything():
    runs = [run(at, lr, 2.3 - at / 10) for at, lr in enumerate(log_grid(1e-3, 1e-1))]
    first = STEP.judge(context(runs))
    assert first.action.changes == {"low": 1e-3, "high": 1.0}

    second = STEP.plan(context(history=[first], pass_number=2))
    report = STEP.judge(context([run(9, 1.0, None)], history=[first], pass_number=2))

    assert rates_of(second) == [pytest.approx(each, rel=1e-5) for each in (0.215443, 0.464159, 1)]
    assert report.learned["lr_best"] == pytest.approx(1e-1)
    assert report.evidence["num_rates"] == 8
    assert not wants_another_pass([report])


def test_all_rates_too_low():
    runs = [run(at, 10.0 ** (at - 10), 2.31, ratio=1e-9) for at in range(4)]
    report = STEP.judge(context(runs, learned={"overfit_lr": 1e-2}))

    assert report.verdict is StepState.FAILED
    assert codes(report) == ["lr_too_low"]
    assert "5 decades higher" in report.sentence
    assert "Float(1e-4, 1e-1" in report.action.sentence


def test_all_rates_too_low_without_step_two():
    runs = [run(at, 10.0 ** (at - 10), 2.31, ratio=1e-9) for at in range(4)]

    assert codes(STEP.judge(context(runs))) == ["lr_too_low"]


def test_all_rates_too_high():
    report = finder(None, None, None, lowest=1.0)

    assert report.verdict is StepState.FAILED
    assert codes(report) == ["lr_too_high"]


def test_nan_at_every_rate_is_not_the_rates_doing():
    report = finder(None, None, None, lowest=1e-7)

    assert report.verdict is StepState.FAILED
    assert codes(report) == ["non_finite_loss"]


def test_weights_that_move_while_unseen_samples_gain_nothing():
    runs = [
        run(0, 1e-4, 2.31, ratio=1e-5),
        run(1, 1e-2, 2.34, train_after=2.2, ratio=2e-3),
        run(2, 1.0, None),
    ]
    with_step_two = STEP.judge(context(runs, learned={"overfit_lr": 1e-2}))
    alone = STEP.judge(context(runs))

    assert codes(with_step_two) == ["noisy_labels"]
    assert with_step_two.evidence["best_lr"] is None
    assert "could memorise a few samples" in with_step_two.sentence
    assert "train loss falls by 4.8 %" in alone.sentence


def test_what_step_one_found_comes_before_shuffled_labels():
    runs = [run(0, 1e-4, 2.31, ratio=1e-5), run(1, 1e-2, 2.31, ratio=2e-3)]
    (finding,) = STEP.judge(context(runs, learned={"overfit_lr": 1e-2})).findings
    drifting = finding.model_copy(update={"code": "activation_scale_drift"})
    history = [STEP.judge(context(runs)).model_copy(update={"findings": (drifting,), "number": 1})]

    report = STEP.judge(context(runs, history=history, pass_number=1))

    assert codes(report) == ["stuck_at_chance"]
    assert "Step 1 found why: activation_scale_drift" in report.sentence


def test_nothing_between_too_low_and_too_high():
    runs = [run(0, 1e-4, 2.31, ratio=1e-6), run(1, 1.0, None)]
    report = STEP.judge(context(runs))

    assert report.verdict is StepState.FAILED
    assert "1 explode, 1 barely move" in report.sentence
    assert report.action.kind == "change"


def test_runs_that_raise_are_not_rates():
    raised = trial(state=TrialState.FAILED, cause=TrialCause.ERROR, message="boom", iterations=0)
    report = STEP.judge(context([raised]))

    assert report.verdict is StepState.FAILED
    assert "boom" in report.sentence
    assert "no run ended" in STEP.judge(context()).sentence


@pytest.mark.parametrize(
    ("ratio", "code"),
    [(1e-5, "update_ratio_low"), (0.05, "update_ratio_high")],
)
def test_update_ratios_beside_a_working_rate_are_information(ratio, code):
    runs = [run(0, 1e-3, 2.3), run(1, 1e-2, 0.5, ratio=ratio), run(2, 1e-1, None)]
    report = STEP.judge(context(runs))

    assert report.verdict is StepState.PASSED
    assert codes(report) == [code]


@pytest.mark.parametrize(
    ("before", "after", "error", "baseline", "result"),
    [
        (2.31, 1.0, 0.03, LN10, RateResult.FALLS),
        (2.31, 2.29, 0.03, LN10, RateResult.BARELY_MOVES),
        (3.0, 2.31, 0.03, LN10, RateResult.BARELY_MOVES),  # to chance and no further
        (3.0, 2.31, 0.03, None, RateResult.FALLS),
        (2.31, 2.0, 0.30, LN10, RateResult.BARELY_MOVES),  # within the noise
        (2.31, 2.7, 0.03, LN10, RateResult.EXPLODES),
        (2.31, math.nan, 0.03, LN10, RateResult.EXPLODES),
        (2.31, math.inf, math.nan, LN10, RateResult.EXPLODES),
        (2.31, 1.0, math.nan, LN10, RateResult.FALLS),
        (math.nan, 1.0, math.nan, None, RateResult.BARELY_MOVES),
    ],
)
def test_one_rate_judged(before, after, error, baseline, result):
    assert judge_rate(before, after, error, baseline) is result


def test_a_rise_on_unseen_samples_alone_is_no_explosion():
    assert judge_rate(2.37, 2.79, 0.03, LN10, train_rise=0.0) is RateResult.BARELY_MOVES
    assert judge_rate(2.37, 2.79, 0.03, LN10, train_rise=0.2) is RateResult.EXPLODES
    rising = run(0, 1.0, 2.9, train_after=2.2)
    assert STEP.judge(context([rising])).learned["rates"][0]["result"] == "barely moves"


@given(
    low=st.floats(1e-9, 1e-3),
    decades=st.floats(0.01, 9),
)
def test_the_grid_spans_its_range_evenly(low, decades):
    rates = log_grid(low, low * 10**decades)

    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(low, rel=1e-5)
    assert rates[-1] == pytest.approx(low * 10**decades, rel=1e-5)
    assert len(rates) - 1 <= max(1, math.ceil(3 * decades))


@given(
    afters=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=8),
    before=st.floats(allow_nan=True, allow_infinity=True),
)
def test_any_losses_get_a_verdict(afters, before):
    runs = [run(at, 10.0 ** (at - 5), after, before=before) for at, after in enumerate(afters)]
    report = STEP.judge(context(runs))

    assert report.verdict in (StepState.PASSED, StepState.FAILED)
    assert report.model_dump_json()


def test_a_step_describes_itself_the_same_every_time():
    assert STEP.plan(context()) == STEP.plan(context())
    assert description() == description()
