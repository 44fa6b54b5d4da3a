"""Inputs whose scale or offset makes training needlessly hard."""

from __future__ import annotations

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
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

RELATIVE_FAIL = 10.0
"""Squared errors: excess over the expected loss, as a share of it, that stops the study."""

SOURCE = "CS231n notes, data preprocessing; notes on diagnosis, row 8, loosened (decision 0007)"


@rule("inputs_not_normalised", Precedence.DATA)
def inputs_not_normalised(evidence: InitialLossEvidence) -> Finding | None:
    """Float inputs with sd above 3 or below 0.001, or a mean beyond both 1 and their sd."""
    inputs = evidence.description.inputs
    if not inputs.dtype.startswith(("float", "bfloat")):
        return None
    offset = abs(inputs.mean) > HIGH_MEAN and abs(inputs.mean) > inputs.sd
    if not (inputs.sd > HIGH_SD or inputs.sd < LOW_SD or offset):
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
        source=SOURCE,
    )


def loss_is_far_too_high(evidence: InitialLossEvidence) -> bool:
    """Whether the initial loss alone stops the study: max(2, ln C) nats above the expected one.

    False where the expected loss is not known for certain.
    """
    expectation = evidence.expectation
    if expectation is None or not expectation.certain:
        return False
    limit = RELATIVE_FAIL if expectation.relative else max(2.0, expectation.value)
    return evidence.excess > limit
