"""Rules on a task before its first iteration: sick tasks, and healthy ones that look alike."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.description import OverlapDescription, ParameterDescription, SplitDescription
from recipes.evidence.initial_loss import initial_loss_evidence
from recipes.finding import Severity
from recipes.outcome import GradientStatistics, LayerStatistics
from recipes.readings import read
from recipes.rules.registry import findings
from tests.recipes_tests.builders import (
    description,
    initialisation,
    inputs,
    outputs,
    regression,
    targets,
    trial,
)
from tests.recipes_tests.curve_builders import evidence, falling, healthy_trial

WEIGHTS = tuple(
    ParameterDescription(name=name, shape=shape, trainable=True, reached=True)
    for name, shape in [("in.weight", (64, 64)), ("in.bias", (64,)), ("out.weight", (10, 64))]
)


def judged(task=None, **state_fields):
    """What the rules find of five equal initialisations, by code."""
    states = [trial(at, initialisation=initialisation(**state_fields)) for at in range(5)]
    found = findings(initial_loss_evidence(task or description(), states))
    return {each.code: each for each in found}


def penalised(penalty, growth=None, **fields):
    growth = 0.21 * penalty if growth is None else growth
    return description(own_loss=True, outputs=outputs(penalty=penalty, penalty_growth=growth))


# A penalty in the loss


@pytest.mark.parametrize("penalty", [0.06, 0.12, 0.5, 40.0])
def test_a_penalty_in_the_loss_is_told_with_its_size(penalty):
    found = judged(penalised(penalty), loss=2.31 + penalty)
    finding = found["penalty_in_loss"]

    assert finding.severity is Severity.WARNING
    assert "The loss contains a penalty on the weights" in finding.sentence
    assert "weight_decay" in finding.action
    assert "initial_loss_high" not in found  # the penalty is why


def test_a_penalty_that_rewards_large_weights_is_an_error():
    finding = judged(penalised(-0.5, -0.1), loss=1.8)["penalty_in_loss"]

    assert finding.severity is Severity.ERROR
    assert finding.causes[0].code == "sign"


@pytest.mark.parametrize("penalty", [0.0, 0.01, 0.04])
def test_a_loss_without_a_penalty_of_a_size_that_matters(penalty):
    assert "penalty_in_loss" not in judged(penalised(penalty), loss=2.31 + penalty)


def test_a_small_penalty_does_not_explain_a_loss_far_too_high():
    assert "initial_loss_high" in judged(penalised(0.2), loss=4.0)


# The same samples on both sides


def shared(num, *, within=0, conflicting=0):
    overlap = OverlapDescription(train_val=num, within_train=within, conflicting=conflicting)
    return judged(description(overlap=overlap)).get("train_val_overlap")


@pytest.mark.parametrize(
    ("num", "within", "cause"),
    [(5, 0, "split_leak"), (150, 0, "split_leak"), (60, 400, "duplicates_before_split")],
)
def test_an_overlap_of_the_splits_is_a_warning(num, within, cause):
    finding = shared(num, within=within)

    assert finding.severity is Severity.WARNING
    assert f"{num} validation samples of 300" in finding.sentence
    assert max(finding.causes, key=lambda each: each.confidence).code == cause


@pytest.mark.parametrize("num", [1, 2, 4])
def test_a_few_shared_samples_are_a_note(num):
    assert shared(num).severity is Severity.INFO


def test_no_shared_sample_is_nothing_to_say():
    assert shared(0, within=300, conflicting=20) is None


# Classes of different sizes


@pytest.mark.parametrize(
    "task",
    [
        description(targets=targets(class_counts=(910, *[10] * 9))),
        description(targets=targets(class_counts=(500, 500, 0, *[100] * 7))),
        description(
            kind="binary", num_classes=None, targets=targets(mean=0.02, class_counts=(), low=0)
        ),
    ],
)
def test_unbalanced_classes_are_a_warning_where_accuracy_decides(task):
    finding = judged(task)["class_imbalance"]

    assert finding.severity is Severity.WARNING
    assert "The classes are unbalanced: class " in finding.sentence
    assert "balanced metric" in finding.action


def test_unbalanced_classes_are_a_note_where_another_metric_decides():
    task = description(metric="f1", targets=targets(class_counts=(910, *[10] * 9)))
    assert judged(task)["class_imbalance"].severity is Severity.INFO


@pytest.mark.parametrize(
    "task",
    [
        description(),
        description(targets=targets(class_counts=(400, *[60] * 9))),
        regression(),
        description(kind="multilabel", targets=targets(mean=0.02, class_counts=(), low=0)),
    ],
)
def test_balanced_enough_or_no_classes(task):
    assert "class_imbalance" not in judged(task)


def test_no_better_than_the_largest_class_though_not_constant():
    task = description(
        num_classes=2, targets=targets(class_counts=(95, 5), entropy=0.2, low=0, high=1)
    )
    wobbling = [0.5, *[0.951, 0.948, 0.952, 0.949] * 4]
    run = healthy_trial(epochs=16, val=wobbling, train=[0.5, *[0.96] * 16])
    better = healthy_trial(epochs=16, val=falling(0.5, 0.99, 16), train=falling(0.5, 0.99, 16))
    codes = {each.code: each for each in read(evidence(run, task=task))}

    assert codes["class_imbalance"].severity is Severity.WARNING
    assert "always answering class 0" in codes["class_imbalance"].sentence
    for fine, own in ((better, task), (run, None)):
        assert "class_imbalance" not in [each.code for each in read(evidence(fine, task=own))]


# Internals before training


def tanh(share):
    layer = LayerStatistics(
        name="act", kind="Tanh", mean=0, sd=1, zero_share=0, dead_share=0, saturated_share=share
    )
    return (layer,)


@pytest.mark.parametrize("share", [0.55, 0.8, 1.0])
def test_a_layer_saturated_from_the_start(share):
    finding = judged(layers=tanh(share))["saturated_activation"]

    assert finding.severity is Severity.WARNING
    assert finding.evidence["layer"] == "act"
    assert finding.causes[0].code == "large_weights"


def test_raw_inputs_are_the_first_cause_of_saturation():
    task = description(inputs=inputs(mean=120.0, sd=60.0, low=0, high=255))
    finding = judged(task, layers=tanh(0.9))["saturated_activation"]

    assert finding.causes[0].code == "inputs_not_normalised"
    assert finding.action == "Normalise the inputs in data()."


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_some_saturation_is_usual(share):
    assert "saturated_activation" not in judged(layers=tanh(share))


def gradients(first, last):
    """Of the two weights, the biases' between."""
    named = {"in.weight": first, "in.bias": 1e-9, "out.weight": last}
    return tuple(
        GradientStatistics(name=name, weight_norm=1.0, gradient_norm=norm)
        for name, norm in named.items()
    )


@pytest.mark.parametrize(("first", "last"), [(1e-6, 0.1), (1e-5, 1.0), (1e-12, 1e-3)])
def test_a_gradient_that_vanishes_before_training(first, last):
    found = judged(description(parameters=WEIGHTS), gradients=gradients(first, last))
    finding = found["vanishing_gradient"]

    assert finding.severity is Severity.WARNING
    assert "from out.weight" in finding.sentence
    assert "the learning rate does not cure it" in finding.action


@pytest.mark.parametrize(
    ("first", "last"),
    [(0.05, 0.1), (1e-3, 5.0), (1e-6, 1e-4), (0.0, 0.1)],
)
def test_gradients_that_arrive_or_are_small_everywhere(first, last):
    found = judged(description(parameters=WEIGHTS), gradients=gradients(first, last))
    assert "vanishing_gradient" not in found


@pytest.mark.parametrize("norm", [150.0, 1e4, 1e12])
def test_a_gradient_that_is_huge_before_training(norm):
    finding = judged(gradients=gradients(norm, norm / 10))["exploding_gradient"]

    assert finding.severity is Severity.WARNING
    assert "before training" in finding.sentence


@pytest.mark.parametrize(
    "task",
    [
        regression(),  # its size is the targets' size
        description(inputs=inputs(mean=120.0, sd=60.0, low=0, high=255)),
        description(outputs=outputs(loss_ratio_when_doubled=2.0)),
    ],
)
def test_a_huge_gradient_that_something_else_explains(task):
    assert "exploding_gradient" not in judged(task, gradients=gradients(500.0, 50.0))


@pytest.mark.parametrize("norm", [0.01, 1.0, 60.0])
def test_usual_gradients_before_training(norm):
    assert "exploding_gradient" not in judged(gradients=gradients(norm, norm))


@pytest.mark.parametrize(("batch", "severity"), [(1, Severity.ERROR), (4, Severity.WARNING)])
def test_batch_norm_with_small_default_batches(batch, severity):
    task = description(has_batch_norm=True, default_batch_size=batch)
    assert judged(task)["batch_norm_small_batch"].severity is severity


# Whatever was measured


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_start_can_be_judged(data):
    anything = st.floats(allow_nan=True, allow_infinity=True)
    draw = data.draw
    task = description(
        parameters=WEIGHTS,
        own_loss=draw(st.booleans()),
        has_batch_norm=draw(st.booleans()),
        default_batch_size=draw(st.integers(1, 64)),
        outputs=outputs(penalty=draw(anything), penalty_growth=draw(anything)),
        overlap=OverlapDescription(
            train_val=draw(st.integers(0, 300)), within_train=draw(st.integers(0, 1000))
        ),
        targets=targets(class_counts=tuple(draw(st.lists(st.integers(0, 999), max_size=10)))),
    )
    state = initialisation(
        draw(st.floats(-10, 1e6)), layers=tanh(draw(anything)), gradients=()
    ).model_copy(update={"gradients": gradients(draw(anything), draw(anything))})
    found = findings(initial_loss_evidence(task, [trial(initialisation=state)] * 3))

    for each in found:
        assert each.model_dump_json()
        assert each.sentence


def test_norms_that_are_not_numbers_say_nothing():
    found = judged(description(parameters=WEIGHTS), gradients=gradients(math.nan, math.nan))
    assert {"vanishing_gradient", "exploding_gradient"}.isdisjoint(found)


def test_rows_stored_before_these_measurements_are_readable():
    before = replace(healthy_trial(), curves={})
    stored = before.outcome.model_dump(mode="json")
    for name in ("saturated_share", "mode_losses"):
        del stored[name]

    again = type(before.outcome).model_validate(stored)
    assert [each.code for each in read(evidence(replace(before, outcome=again)))] == ["healthy"]


# Data that hold nothing to learn


def constant(value=0.0, **fields):
    return description(inputs=inputs(mean=value, sd=0.0, low=value, high=value), **fields)


def test_inputs_of_one_value_are_said_to_be_that_and_explain_the_rest():
    unreached = (WEIGHTS[0].model_copy(update={"reached": False}), *WEIGHTS[1:])
    task = constant(parameters=unreached, overlap=OverlapDescription(train_val=300))
    found = judged(task, output_spread=0.0)

    assert found["inputs_not_normalised"].severity is Severity.ERROR
    assert "The inputs are constant" in found["inputs_not_normalised"].sentence
    assert "divide" not in found["inputs_not_normalised"].action
    assert not {"ignores_input", "frozen_parameters", "train_val_overlap"} & set(found)


def test_inputs_of_which_a_few_differ_are_not_constant():
    found = judged(description(inputs=inputs(mean=0.0, sd=1e-4, low=0.0, high=0.1)))

    assert "constant" not in found["inputs_not_normalised"].sentence


@pytest.mark.parametrize("counts", [(1000, 0, 0), (0, 0, 1000)])
def test_one_class_alone_is_an_error(counts):
    task = description(num_classes=3, targets=targets(class_counts=counts, entropy=0.0))
    finding = judged(task)["class_imbalance"]

    assert finding.severity is Severity.ERROR
    assert f"only one class: of 1,000 training samples all are of class {counts.index(1000)}" in (
        finding.sentence
    )
    assert "log of" not in finding.action


def test_an_empty_class_among_others_has_no_log_of_its_share():
    finding = judged(description(targets=targets(class_counts=(500, 500, 0))))["class_imbalance"]

    assert finding.severity is Severity.WARNING
    assert "log of" not in finding.action


@pytest.mark.parametrize(("num", "is_said"), [(2, True), (9, True), (10, False)])
def test_hardly_any_validation_samples_are_told_before_training(num, is_said):
    splits = [
        SplitDescription(name=name, num_samples=num, origin="task") for name in ("train", "val")
    ]
    found = judged(description(splits=splits))

    assert ("small_validation_set" in found) is is_said
    if is_said:
        sentence = found["small_validation_set"].sentence
        assert f"{num} validation samples beside {num} training samples" in sentence


@pytest.mark.parametrize(
    ("low", "high", "cause"),
    [(-1, 2, "padding_label"), (-1, 3, "num_classes_wrong"), (1, 3, "num_classes_wrong")],
)
def test_a_label_out_of_range_has_the_cause_its_side_tells(low, high, cause):
    outside = targets(low=low, high=high, num_out_of_range=1, first_out_of_range=3)
    finding = judged(description(num_classes=3, targets=outside))["labels_out_of_range"]

    assert finding.causes[0].code == cause
    assert "1 training label lies outside" in finding.sentence


def with_bad(name, **counts):
    return [
        SplitDescription(name="train", num_samples=1000, origin="task"),
        SplitDescription(name=name, num_samples=300, origin="task", **counts),
    ]


@pytest.mark.parametrize(("name", "word"), [("val", "validation"), ("test", "test")])
def test_labels_of_another_split_that_are_out_of_range_name_it(name, word):
    finding = judged(description(splits=with_bad(name, num_out_of_range=3)))["labels_out_of_range"]

    assert finding.severity is Severity.ERROR
    assert finding.sentence.startswith(f"3 {word} labels lie outside 0 to 9")
    assert finding.evidence["split"] == name
    assert f"map the {word} labels" in finding.action


@pytest.mark.parametrize(("name", "word"), [("val", "validation"), ("test", "test")])
def test_a_sample_of_another_split_that_is_not_finite_names_it(name, word):
    finding = judged(description(splits=with_bad(name, num_non_finite=1)))["non_finite_data"]

    assert finding.severity is Severity.ERROR
    assert finding.sentence.startswith(f"1 {word} sample holds NaN or infinity in its inputs or")
    assert f"among the {word} samples" in finding.action


def test_of_bad_data_in_several_splits_the_training_samples_are_told():
    train = SplitDescription(
        name="train", num_samples=1000, origin="task", num_out_of_range=2, num_non_finite=1
    )
    others = with_bad("test", num_out_of_range=5, num_non_finite=5)[1:]
    found = findings(
        initial_loss_evidence(
            description(
                splits=[train, *others],
                targets=targets(num_out_of_range=2, first_out_of_range=0),
                inputs=inputs(num_non_finite=1, first_non_finite=0),
            ),
            [],
        )
    )

    assert [each.code for each in found] == ["labels_out_of_range", "non_finite_data"]
    assert all(" training " in each.sentence for each in found)


def test_one_sample_that_is_not_finite_holds_it():
    finding = judged(description(inputs=inputs(num_non_finite=1, first_non_finite=5)))

    assert "looked at holds NaN or infinity in its inputs" in finding["non_finite_data"].sentence


@pytest.mark.parametrize(
    ("sd", "cause"), [(1.0, "negative_bias"), (50.0, "input_offset")], ids=["sound", "raw"]
)
def test_dead_units_behind_raw_inputs_are_the_inputs_doing(sd, cause):
    layer = LayerStatistics(
        name="1", kind="ReLU", mean=0.0, sd=0.1, zero_share=0.9, dead_share=0.6
    )
    finding = judged(description(inputs=inputs(mean=0.0, sd=sd)), layers=(layer,))["dead_relu"]

    assert finding.causes[0].code == cause
    assert "the ReLU units of layer 1 are dead" in finding.sentence
