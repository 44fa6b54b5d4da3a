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
    return Finding(
        code="inputs_not_normalised",
        severity=Severity.WARNING,
        confidence=0.9,
        sentence=f"The inputs are not normalised: mean {number(inputs.mean)}, sd "
        f"{number(inputs.sd)}, from {number(inputs.low)} to {number(inputs.high)}, where mean 0 "
        "and sd 1 are expected. Initial loss and usable learning rates move by that factor.",
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
