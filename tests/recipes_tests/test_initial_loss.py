"""Step 1: what it plans, and what it says of healthy and of sick tasks."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.description import ParameterDescription, SplitDescription
from recipes.finding import Severity
from recipes.outcome import LayerStatistics
from recipes.step import StepState
from recipes.steps.initial_loss import NUM_INITIALISATIONS, InitialLoss
from recipes.trial import TrialCause, TrialState
from tests.recipes_tests.builders import (
    constant_targets,
    context,
    description,
    initialisation,
    inputs,
    outputs,
    regression,
    targets,
    trial,
)

STEP = InitialLoss()


def judged(task=None, states=None, **state_fields):
    states = states or [initialisation(**state_fields) for _ in range(NUM_INITIALISATIONS)]
    trials = [trial(at, initialisation=state) for at, state in enumerate(states)]
    return STEP.judge(context(trials, task=task or description()))


def codes(report):
    return [finding.code for finding in report.findings]


def test_plans_five_initialisations_of_the_middle_of_the_space():
    plan = STEP.plan(context(fixed={"hidden": 77}))

    (job,) = plan.jobs
    run = job.run_spec(range(5))
    assert [member.trial for member in run.members] == [0, 1, 2, 3, 4]
    assert len({member.seed for member in run.members}) == 5
    assert len({member.data_seed for member in run.members}) == 1
    assert run.members[0].params["hidden"] == 77
    assert run.iterations == 0
    assert not run.regularisation


def test_plans_nothing_twice_and_the_same_every_time():
    first = STEP.plan(context())

    assert STEP.plan(context()) == first
    assert not STEP.plan(context([trial(initialisation=initialisation())])).jobs


def test_a_healthy_model_passes_with_its_numbers():
    report = judged()

    assert report.verdict is StepState.PASSED
    assert report.findings == ()
    assert "Initial loss 2.31" in report.sentence
    assert "ln 10" in report.sentence
    assert report.learned == {"initial_loss": pytest.approx(2.31)}
    assert report.action.kind == "continue"
    assert [figure.name for figure in report.figures] == ["initial_loss", "activations"]


@pytest.mark.parametrize(
    ("loss", "verdict"),
    [
        (2.4, StepState.PASSED),
        (2.55, StepState.PASSED),
        (2.6, StepState.WARNING),
        (4.5, StepState.WARNING),
        (5.0, StepState.FAILED),
        (2.2, StepState.WARNING),
        (-2.3, StepState.FAILED),
    ],
)
def test_the_loss_is_held_against_ln_c(loss, verdict):
    assert judged(loss=loss).verdict is verdict


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        ((0.89, 0.59, 1.0, 0.9, 0.91), StepState.PASSED),  # 0.165 above, 0.07 between them
        ((0.89, 0.85, 0.9, 0.9, 0.86), StepState.WARNING),  # above in every one
        ((0.6, 0.67, 0.56, 0.52, 0.62), StepState.PASSED),
        ((0.59, 0.6, 0.58, 0.59, 0.6), StepState.WARNING),
        ((0.7, 0.7, 0.7, 0.7, 13.0), StepState.FAILED),  # no luck makes up for that
    ],
)
def test_outputs_may_go_with_the_classes_or_against_them_by_chance(losses, verdict):
    task = description(num_classes=2, targets=targets(class_counts=(500, 500)))
    report = judged(task, [initialisation(loss=loss) for loss in losses])

    assert report.verdict is verdict, report.sentence


@pytest.mark.parametrize(
    ("losses", "count", "cause"),
    [
        ((math.nan,) * 5, "5 of 5", "undefined_operation"),
        ((2.3, math.inf, 2.3, 2.3, 2.3), "1 of 5", "bad_initialisation"),
    ],
)
def test_a_loss_that_is_no_number_fails(losses, count, cause):
    report = judged(states=[initialisation(loss=loss) for loss in losses])

    assert report.verdict is StepState.FAILED
    assert codes(report) == ["non_finite_loss"]
    assert count in report.sentence
    assert report.findings[0].causes[0].code == cause


def test_raw_inputs_are_the_first_cause_of_a_high_loss():
    report = judged(
        description(inputs=inputs(mean=33.3, sd=78.0, low=0, high=255)),
        loss=60.0,
    )

    assert report.verdict is StepState.FAILED
    assert codes(report) == ["inputs_not_normalised", "initial_loss_high"]
    assert report.findings[1].causes[0].code == "inputs_not_normalised"
    assert "not normalised" in report.sentence


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": 0.5, "sd": 0.3, "low": 0, "high": 1},  # pixels in [0, 1]
        {"high": 40.0},  # heavy tails
        {"mean": 0.02, "sd": 0.14, "high": 1},  # sparse one-hot columns
        {"dtype": "int64", "mean": 500.0, "sd": 300.0},  # tokens
    ],
    ids=["unit interval", "heavy tails", "sparse", "tokens"],
)
def test_inputs_that_are_fine(changes):
    assert judged(description(inputs=inputs(**changes))).verdict is StepState.PASSED


@pytest.mark.parametrize(
    "changes",
    [{"sd": 78.0}, {"mean": 5.0}, {"sd": 1e-5}],
    ids=["wide", "offset", "tiny"],
)
def test_inputs_that_are_not(changes):
    report = judged(description(inputs=inputs(**changes)))

    assert report.verdict is StepState.WARNING
    assert codes(report) == ["inputs_not_normalised"]


def with_val(*, num_samples=300, origin="task", name="val", mean=0.0, sd=1.0, train_sd=1.0):
    train = SplitDescription(
        name="train", num_samples=1000, origin="task", input_mean=7e-9, input_sd=train_sd
    )
    other = SplitDescription(
        name=name, num_samples=num_samples, origin=origin, input_mean=mean, input_sd=sd
    )
    return (train, other)


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ({"mean": 127.0, "sd": 78.0}, "validation"),
        ({"mean": 1.3}, "validation"),
        ({"sd": 0.3}, "validation"),
        ({"sd": 3.1}, "validation"),
        ({"mean": -1.3, "name": "test"}, "test"),
        ({"mean": 5.0, "num_samples": 4}, "validation"),
    ],
    ids=["raw", "offset", "narrow", "wide", "test split", "small and far off"],
)
def test_a_split_on_another_scale(other, name):
    report = judged(description(splits=with_val(**other)))

    assert report.verdict is StepState.WARNING
    assert codes(report) == ["inputs_not_normalised"]
    (finding,) = report.findings
    assert f"The {name} inputs" in finding.sentence
    assert "against mean 0 and sd 1" in finding.sentence
    assert "training statistics" in finding.action


@pytest.mark.parametrize(
    "changes",
    [
        {"splits": with_val(mean=0.9, sd=2.9)},
        {"splits": with_val(mean=1.9, num_samples=9)},
        {"splits": with_val(sd=0.0, num_samples=1)},
        {"splits": with_val(mean=9.0, origin="made")},
        {"splits": with_val(mean=None, sd=None)},
        {"splits": with_val(mean=9.0, train_sd=None)},
        {"splits": with_val(mean=9.0, train_sd=0.0)},
        {"splits": with_val(sd=0.2), "inputs": inputs(high=40.0)},
    ],
    ids=["alike", "few", "one", "made by us", "tokens", "train not", "constant", "heavy tails"],
)
def test_splits_that_are_alike_or_differ_by_chance(changes):
    assert judged(description(**changes)).verdict is StepState.PASSED


def with_bad(name, **counts):
    train, _ = with_val()
    return (train, SplitDescription(name=name, num_samples=300, origin="task", **counts))


@pytest.mark.parametrize(
    ("task", "code"),
    [
        (
            description(targets=targets(num_out_of_range=3, first_out_of_range=5, high=10)),
            "labels_out_of_range",
        ),
        (
            description(
                kind="binary",
                num_classes=None,
                targets=targets(num_out_of_range=1, first_out_of_range=0, high=2),
            ),
            "labels_out_of_range",
        ),
        (description(inputs=inputs(num_non_finite=1, first_non_finite=17)), "non_finite_data"),
        (description(targets=targets(num_non_finite=1, first_non_finite=17)), "non_finite_data"),
        (description(splits=with_bad("test", num_out_of_range=3)), "labels_out_of_range"),
        (description(splits=with_bad("val", num_non_finite=3)), "non_finite_data"),
    ],
    ids=["classes", "binary", "inputs", "targets", "of test", "in val"],
)
def test_data_that_cannot_be_scored_fails_without_a_run(task, code):
    assert not STEP.plan(context(task=task)).jobs

    report = STEP.judge(context(task=task))

    assert report.verdict is StepState.FAILED
    assert codes(report) == [code]
    assert report.sentence == report.findings[0].sentence


def test_a_summed_loss_is_named_before_its_high_value():
    report = judged(
        description(
            own_loss=True,
            outputs=outputs(loss_ratio_when_doubled=2.0, loss_is_cross_entropy=False),
        ),
        loss=147.0,
    )

    assert report.verdict is StepState.FAILED
    assert codes(report)[0] == "sum_reduction"


def test_a_mean_is_no_sum():
    assert (
        judged(description(outputs=outputs(loss_ratio_when_doubled=None))).verdict
        is StepState.PASSED
    )


def test_probabilities_scored_as_logits_fail():
    report = judged(description(outputs=outputs(rows_sum_to_one=True)))

    assert report.verdict is StepState.FAILED
    assert codes(report) == ["double_softmax"]
    assert report.findings[0].evidence["loss_floor"] == pytest.approx(1.461, abs=1e-3)


def test_probabilities_under_a_loss_of_their_own_are_fine():
    report = judged(
        description(outputs=outputs(rows_sum_to_one=True, loss_is_cross_entropy=False))
    )

    assert report.verdict is StepState.PASSED


@pytest.mark.parametrize(("trainable", "reached"), [(False, False), (True, False)])
def test_frozen_parameters_warn_and_do_not_gate(trainable, reached):
    frozen = ParameterDescription(
        name="fc0.weight", shape=(64, 64), trainable=trainable, reached=reached
    )
    report = judged(description(parameters=(*description().parameters, frozen)))

    assert report.verdict is StepState.WARNING
    assert codes(report) == ["frozen_parameters"]
    assert "86 %" in report.sentence
    assert "ln 10" in report.sentence  # the step's own result is not lost behind a warning


def test_tensors_that_no_optimizer_sees_are_frozen_too():
    stray = ParameterDescription(
        name="unregistered tensor 1",
        shape=(64, 64),
        trainable=True,
        reached=True,
        registered=False,
    )
    report = judged(description(parameters=(*description().parameters, stray)))

    assert codes(report) == ["frozen_parameters"]
    assert "not among model.parameters()" in report.sentence
    assert "ModuleList" in report.action.sentence


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"never_negative": True, "zero_share": 0.5}, ["wrong_output_activation"]),
        ({"never_negative": False, "zero_share": 0.5}, []),
        ({"never_negative": True, "zero_share": 0.0}, []),
        ({"never_negative": True, "zero_share": 1.0}, []),
    ],
    ids=["clipped", "some negative", "positive by chance", "all zero"],
)
def test_clipped_outputs(changes, found):
    assert codes(judged(description(outputs=outputs(**changes)))) == found


def test_clipped_outputs_of_a_regression_may_be_meant():
    task = regression(outputs=outputs(shape=(1,), never_negative=True, zero_share=0.5))

    assert codes(judged(task, loss=1.0)) == []


def test_unreached_parameters_are_explained_by_dead_units_or_an_unused_input():
    unreached = ParameterDescription(
        name="fc0.weight", shape=(4, 4), trainable=True, reached=False
    )
    task = description(parameters=(unreached,))

    assert codes(judged(task, output_spread=0.0)) == ["ignores_input"]
    dead = LayerStatistics(name="relu", kind="ReLU", mean=0, sd=0, zero_share=1, dead_share=1)
    assert codes(judged(task, layers=(dead,))) == ["dead_relu"]


@pytest.mark.parametrize(
    ("share", "verdict"),
    [(0.1, StepState.PASSED), (0.3, StepState.PASSED), (0.9, StepState.FAILED)],
)
def test_dead_units(share, verdict):
    layer = LayerStatistics(
        name="relu", kind="ReLU", mean=0, sd=0, zero_share=share, dead_share=share
    )

    report = judged(layers=(layer,))
    assert report.verdict is verdict
    assert codes(report) == ([] if share < 0.2 else ["dead_relu"])


def test_units_that_the_input_does_not_reach_are_not_called_dead():
    constant = LayerStatistics(
        name="fc", kind="Linear", mean=0, sd=1, zero_share=0, dead_share=0, variation=0
    )
    relu = LayerStatistics(name="relu", kind="ReLU", mean=0, sd=0, zero_share=1, dead_share=1)

    assert codes(judged(layers=(constant, relu))) == []
    varied = constant.model_copy(update={"variation": 2.0})
    assert codes(judged(layers=(varied, relu))) == ["dead_relu"]


def linear(name, variation):
    return LayerStatistics(
        name=name, kind="Linear", mean=0, sd=1, zero_share=0, dead_share=0, variation=variation
    )


@pytest.mark.parametrize(
    ("scales", "found"),
    [
        ((1.0, 0.5, 0.3, 0.1), []),
        ((1.0, 0.03, 1e-4, 1e-6), ["activation_scale_drift"]),
        ((1.0, 50.0, 5e3, 5e5), ["activation_scale_drift"]),
        ((1.0, 0.0, math.nan, 1e-9), []),
        ((1.0, 1e-9), []),
    ],
    ids=["healthy", "shrinking", "growing", "not finite", "two layers"],
)
def test_scales_that_drift_from_layer_to_layer(scales, found):
    layers = tuple(linear(f"fc{at}", sd) for at, sd in enumerate(scales))

    assert codes(judged(layers=layers)) == found


def test_samples_that_mix_in_a_batch_fail():
    report = judged(description(outputs=outputs(mixes_batch=True)))

    assert report.verdict is StepState.FAILED
    assert codes(report) == ["batch_mixing"]


def test_only_relu_like_layers_have_dead_units():
    layer = LayerStatistics(name="fc", kind="Linear", mean=0, sd=0, zero_share=1, dead_share=1)

    assert judged(layers=(layer,)).verdict is StepState.PASSED


def test_a_hinge_loss_of_the_tasks_own_is_recognised():
    task = description(own_loss=True, outputs=outputs(loss_is_cross_entropy=False))

    assert judged(task, loss=9.02).verdict is StepState.PASSED
    assert judged(task, loss=14.0).verdict is StepState.WARNING


OWN_LOSS = description(own_loss=True, outputs=outputs(loss_is_cross_entropy=False))


@pytest.mark.parametrize("loss", [1.87, 0.47])  # a focal loss, without and with weights
def test_a_low_loss_of_the_tasks_own_is_a_note_and_the_formula_may_not_hold(loss):
    report = judged(OWN_LOSS, loss=loss)

    assert report.verdict is StepState.PASSED
    (finding,) = report.findings
    assert (finding.code, finding.severity) == ("initial_loss_low", Severity.INFO)
    assert finding.causes[0].code == "other_loss"
    assert "expected_initial_loss" in finding.action
    assert "may not hold" in report.sentence


@pytest.mark.parametrize("loss", [0.1, -0.03, -2.3])
def test_a_loss_of_the_tasks_own_that_is_next_to_nothing_is_a_warning(loss):
    report = judged(OWN_LOSS, loss=loss)

    assert report.verdict is StepState.WARNING
    (finding,) = report.findings
    assert [cause.code for cause in finding.causes] == ["sign_or_pairing", "other_loss"]
    assert "under 10 % of it" in report.sentence


def test_a_density_may_start_below_zero():
    report = judged(regression(own_loss=True), loss=-1.2)

    assert report.verdict is StepState.PASSED
    assert [(each.code, each.severity) for each in report.findings] == [
        ("initial_loss_low", Severity.INFO)
    ]


@pytest.mark.parametrize(
    ("task", "loss", "verdict"),
    [
        (regression(own_loss=True, expected_initial_loss=-1.2), -1.2, StepState.PASSED),
        (regression(own_loss=True, expected_initial_loss=0.5), -0.2, StepState.WARNING),
        (OWN_LOSS.model_copy(update={"expected_initial_loss": 2.3}), -2.3, StepState.FAILED),
    ],
    ids=["as expected", "a density's", "of labels"],
)
def test_what_the_task_expects_decides_whether_it_may_be_negative(task, loss, verdict):
    assert judged(task, loss=loss).verdict is verdict


def test_a_custom_task_is_measured_and_not_compared():
    report = judged(description(kind="custom"), layers=())

    assert report.verdict is StepState.PASSED
    assert "nothing was compared" in report.sentence
    assert [figure.name for figure in report.figures] == ["initial_loss"]


@pytest.mark.parametrize(
    ("loss", "verdict"),
    [
        (1.05, StepState.PASSED),
        (2.5, StepState.WARNING),
        (40.0, StepState.FAILED),
        (0.2, StepState.WARNING),
    ],
)
def test_squared_errors_are_compared_relative_to_the_targets(loss, verdict):
    assert judged(regression(), loss=loss).verdict is verdict


@pytest.mark.parametrize(("value", "said"), [(0.0, "0"), (3.5, "3.5")])
def test_a_regression_with_one_target_fails_and_says_so(value, said):
    report = judged(regression(targets=constant_targets(value)), loss=15.0)

    assert report.verdict is StepState.FAILED
    assert codes(report) == ["class_imbalance"]
    assert f"All targets are the same: those of 1,000 training samples are {said}." in (
        report.sentence
    )


def test_a_loss_of_the_tasks_own_need_not_look_at_its_targets():
    own = {"own_loss": True, "targets": constant_targets(0.0)}

    assert codes(judged(regression(**own, metric="loss"), loss=0.7)) == []
    assert codes(judged(regression(**own, metric="r2"), loss=0.7)) == ["class_imbalance"]


def test_a_model_that_raises_fails_with_its_message():
    raised = trial(
        state=TrialState.FAILED,
        cause=TrialCause.ERROR,
        message="mat1 and mat2 (model.py:12)",
        iterations=0,
    )
    report = STEP.judge(context([raised]))

    assert report.verdict is StepState.FAILED
    assert "model.py:12" in report.sentence
    assert report.learned == {}


def test_a_loss_that_cannot_be_called_fails_with_its_message():
    task = description(outputs=None, loss_error="RuntimeError: shapes (loss.py:3)")
    assert not STEP.plan(context(task=task)).jobs

    report = STEP.judge(context(task=task))

    assert report.verdict is StepState.FAILED
    assert "loss.py:3" in report.sentence


@given(
    loss=st.floats(allow_nan=True, allow_infinity=True),
    sd=st.floats(allow_nan=True, allow_infinity=True),
    mean=st.floats(allow_nan=True, allow_infinity=True),
)
def test_any_numbers_get_a_verdict(loss, sd, mean):
    state = initialisation(
        loss={"total": loss, "total_squares": math.inf, "n": 3}, output_sd=sd, output_spread=sd
    )
    report = judged(description(inputs=inputs(mean=mean, sd=sd)), states=[state])

    assert report.verdict in (StepState.PASSED, StepState.WARNING, StepState.FAILED)
    assert report.sentence


@pytest.mark.parametrize(
    ("loss", "severities"), [(0.66, ["info"]), (0.95, [])], ids=["two thirds", "by chance"]
)
def test_squared_errors_of_a_mean_over_padding_are_noted(loss, severities):
    """A third of the samples are padding; the samples' noise is three hundredths."""
    task = regression(own_loss=True)
    states = [initialisation(loss=share * loss) for share in (0.97, 1.0, 1.0, 1.0, 1.03)]

    found = [each for each in judged(task, states).findings if each.code == "initial_loss_low"]
    assert [each.severity for each in found] == severities


@pytest.mark.parametrize(
    ("default", "own", "said"),
    [(64, 2, ["batch_norm_small_batch"]), (2, 64, []), (2, None, ["batch_norm_small_batch"])],
)
def test_the_batch_size_that_is_set_is_held_against_batch_norm(default, own, said):
    task = description(has_batch_norm=True, default_batch_size=default)
    params = {"lr": 0.1} if own is None else {"lr": 0.1, "batch_size": own}
    trials = [trial(at, initialisation=initialisation(), params=params) for at in range(5)]

    assert codes(STEP.judge(context(trials, task=task))) == said
