"""Inputs whose scale or offset makes training needlessly hard, or differs between splits."""

from __future__ import annotations

import math

from recipes.description import SplitDescription, TaskDescription
from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import number

HIGH_SD = 3.0
"""Standardised inputs have sd 1. Raw pixels 0..255 have about 70, digits 0..16 about 6."""

LOW_SD = 1e-3
"""Below it the first layer sees next to nothing but its bias."""

HIGH_MEAN = 1.0
"""Offset in units of a standardised input, where it is also larger than the inputs' own sd.
Pixels in [0, 1] (mean 0.5, sd 0.3) stay silent: being outside [-1, 1] or not centred alone
is no fault (notes on diagnosis, row 8)."""

SPLIT_OFFSET = 1.0
"""Distance of another split's mean from the training mean, in training sds: what raw pixels in
[0, 1] beside standardised ones (mean 0.5 / 0.3) exceed, and a shifted camera does not."""

SPLIT_SCALE = 3.0
"""Ratio of another split's sd to the training sd, either way: pixels in [0, 1] beside
standardised ones have 0.3, raw ones of 0..255 about 70."""

CHANCE = 4.0
"""Standard errors that a small split's mean may be off by chance."""

MIN_SAMPLES = 30
"""Below it an sd says too little."""

HEAVY_TAIL = 20.0
"""A training value so many sds out decides the sd alone: splits then differ by chance."""

RELATIVE_FAIL = 10.0
"""Squared errors: excess over the expected loss, as a share of it, that stops the study."""

SOURCE = "CS231n notes, data preprocessing; notes on diagnosis, row 8, loosened (decision 0007)"


@rule("inputs_not_normalised", Precedence.DATA)
def inputs_not_normalised(evidence: InitialLossEvidence) -> Finding | None:
    """Float inputs with sd above 3 or below 0.001, or a mean beyond both 1 and their sd."""
    inputs = evidence.description.inputs
    if not are_inputs_raw(evidence.description) or are_inputs_constant(evidence.description):
        return None
    stops = loss_is_far_too_high(evidence)
    consequence = (
        f"That alone puts the initial loss at {number(evidence.loss)}."
        if stops
        else "Initial loss and usable learning rates move by that factor."
    )
    return Finding(
        code="inputs_not_normalised",
        severity=Severity.ERROR if stops else Severity.WARNING,
        confidence=0.9,
        sentence=f"The inputs are not normalised: mean {number(inputs.mean)}, sd "
        f"{number(inputs.sd)}, from {number(inputs.low)} to {number(inputs.high)}, where mean 0 "
        f"and sd 1 are expected. {consequence}",
        evidence={
            "mean": inputs.mean,
            "sd": inputs.sd,
            "low": inputs.low,
            "high": inputs.high,
            "feature_sd_ratio": inputs.feature_sd_ratio,
            "threshold_sd": HIGH_SD,
        },
        causes=(
            Cause(
                code="raw_inputs",
                sentence="Raw values (pixels 0..255, unscaled columns) reach the model.",
                confidence=0.9,
            ),
        ),
        action="In data(), subtract the training mean and divide by the training sd, per channel "
        "or feature, for every split alike.",
        changes=(Adjustment(name="standardise", value=True),),
        source=SOURCE,
    )


@rule("inputs_not_normalised", Precedence.DATA)
def inputs_of_one_value(evidence: InitialLossEvidence) -> Finding | None:
    """Every training input is one and the same number: there is nothing to learn from."""
    inputs = evidence.description.inputs
    if not are_inputs_constant(evidence.description):
        return None
    return Finding(
        code="inputs_not_normalised",
        severity=Severity.ERROR,
        confidence=0.99,
        sentence=f"The inputs are constant: every value of all {inputs.num_looked_at:,} training "
        f"samples looked at is {number(inputs.low)}, so no sample can be told from another.",
        evidence={"low": inputs.low, "high": inputs.high, "num_looked_at": inputs.num_looked_at},
        causes=(
            Cause(
                code="empty_inputs",
                sentence="data() returns a buffer that was never filled, or multiplies or clips "
                "the values away.",
                confidence=0.9,
            ),
        ),
        action="In data(), print a few inputs before and after each step of their preparation.",
        source=SOURCE,
    )


@rule("inputs_not_normalised", Precedence.DATA)
def splits_on_different_scales(evidence: InitialLossEvidence) -> Finding | None:
    """A task's own validation or test inputs with another mean or scale than the training's."""
    description = evidence.description
    train = description.split("train")
    for split in description.splits:
        if split.name != "train" and split.origin == "task" and _differs(description, split):
            return _other_scale(train, split)
    return None


def are_inputs_raw(description: TaskDescription) -> bool:
    """Whether the training inputs' scale or offset is far from a standardised one."""
    inputs = description.inputs
    if not inputs.dtype.startswith(("float", "bfloat")):
        return False
    offset = abs(inputs.mean) > HIGH_MEAN and abs(inputs.mean) > inputs.sd
    return inputs.sd > HIGH_SD or inputs.sd < LOW_SD or offset


def are_inputs_constant(description: TaskDescription) -> bool:
    """Whether all training inputs are one and the same number."""
    inputs = description.inputs
    return inputs.num_looked_at > 1 and inputs.low == inputs.high  # false for NaN


def scales_differ(description: TaskDescription) -> bool:
    """Whether validation inputs have another mean or scale than the training's: then what the
    model does on them says nothing of its fit."""
    known = {split.name: split for split in description.splits}
    val = known.get("val")
    return val is not None and "train" in known and _differs(description, val)


def _differs(description: TaskDescription, split: SplitDescription) -> bool:
    train = description.split("train")
    if train.input_mean is None or train.input_sd is None:
        return False
    if split.input_mean is None or split.input_sd is None or train.input_sd <= 0:
        return False
    inputs = description.inputs
    furthest = max(abs(inputs.high - train.input_mean), abs(inputs.low - train.input_mean))
    if furthest > HEAVY_TAIL * train.input_sd:
        return False
    # All values of a sample may move together: the samples are what counts, not the values.
    chance = CHANCE / math.sqrt(max(1, split.num_samples))
    if abs(split.input_mean - train.input_mean) > (SPLIT_OFFSET + chance) * train.input_sd:
        return True
    ratio = split.input_sd / train.input_sd
    is_far = ratio > SPLIT_SCALE or ratio < 1 / SPLIT_SCALE
    return is_far and min(split.num_samples, train.num_samples) >= MIN_SAMPLES


def _other_scale(train: SplitDescription, split: SplitDescription) -> Finding:
    assert train.input_mean is not None
    assert train.input_sd is not None
    assert split.input_mean is not None
    assert split.input_sd is not None
    name = split.adjective
    return Finding(
        code="inputs_not_normalised",
        severity=Severity.WARNING,
        confidence=0.8,
        sentence=f"The {name} inputs are on another scale than the training inputs: mean "
        f"{_mean(split.input_mean, split.input_sd)} and sd {number(split.input_sd)} against mean "
        f"{_mean(train.input_mean, train.input_sd)} and sd {number(train.input_sd)}. The model "
        "is judged on inputs it never learned from.",
        evidence={
            "split": split.name,
            "mean": split.input_mean,
            "sd": split.input_sd,
            "train_mean": train.input_mean,
            "train_sd": train.input_sd,
            "threshold_offset": SPLIT_OFFSET,
            "threshold_scale": SPLIT_SCALE,
        },
        causes=(
            Cause(
                code="statistics_per_split",
                sentence=f"The {name} split is not preprocessed as the training split is.",
                confidence=0.8,
            ),
            Cause(
                code="other_population",
                sentence=f"The {name} samples come from another source than the training samples.",
                confidence=0.2,
            ),
        ),
        action="In data(), apply the training statistics to every split: subtract the training "
        "mean and divide by the training sd, in validation and test too.",
        source=SOURCE,
    )


def _mean(mean: float, sd: float) -> str:
    """A mean in words; one that only rounding keeps from 0 is 0."""
    return number(0.0 if abs(mean) < 1e-6 * sd else mean)


def loss_is_far_too_high(evidence: InitialLossEvidence) -> bool:
    """Whether the initial loss alone stops the study: max(2, ln C) nats above the expected one.

    False where the expected loss is not known for certain.
    """
    expectation = evidence.expectation
    if expectation is None or not expectation.certain:
        return False
    limit = RELATIVE_FAIL if expectation.relative else max(2.0, expectation.value)
    return evidence.excess > limit
