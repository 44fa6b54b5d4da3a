"""A loss that contains a penalty on the weights."""

from __future__ import annotations

import math

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import number, percent

PENALTY_SHARE = 0.02
"""Penalty over the loss that an untrained model should have, from which it blurs what the loss
says. Row 4 asks for 0.05 ln C, where a decay of 0.01 by hand in a network of some hundred weights
just lies; the usual 1e-4 and less stays under a thousandth (ours)."""

SOURCE = "CS231n notes, raising the regularisation must raise the loss; row 4"


@rule("penalty_in_loss", Precedence.PROBE)
def penalty_in_loss(evidence: InitialLossEvidence) -> Finding | None:
    """A part of the loss depends on the weights alone, and is of a size that matters.

    A penalty that falls when the weights grow has the wrong sign: an error.
    """
    outputs, expectation = evidence.description.outputs, evidence.expectation
    if outputs is None or outputs.penalty == 0:
        return None
    scale = abs(expectation.value) if expectation else abs(evidence.loss - outputs.penalty)
    # Comparisons with NaN are false: without a scale every penalty counts.
    if abs(outputs.penalty) <= PENALTY_SHARE * scale:
        return None
    share = outputs.penalty / scale if scale > 0 else math.nan
    is_wrong = outputs.penalty_growth < 0
    consequence = (
        f"and it falls (by {number(-outputs.penalty_growth)}) when the weights grow by a tenth: "
        "training is rewarded for weights without end"
        if is_wrong
        else "so losses of settings with different penalties cannot be compared, and the "
        "validation loss is not that of the data"
    )
    return Finding(
        code="penalty_in_loss",
        severity=Severity.ERROR if is_wrong else Severity.WARNING,
        confidence=0.95,
        sentence=f"The loss contains a penalty on the weights: {number(outputs.penalty)} of it "
        f"stays when the outputs are held and goes when the weights do, {percent(share)} of what "
        f"an untrained model's loss should be ({percent(PENALTY_SHARE)} count), {consequence}.",
        evidence={
            "penalty": outputs.penalty,
            "penalty_growth": outputs.penalty_growth,
            "share": share,
            "threshold": PENALTY_SHARE,
        },
        causes=(
            Cause(
                code="sign" if is_wrong else "own_penalty",
                sentence="The penalty is subtracted."
                if is_wrong
                else "loss() adds a penalty on the model's weights.",
                confidence=0.95,
            ),
        ),
        action="Add the penalty rather than subtract it; better, take it out of loss() and use "
        "weight_decay."
        if is_wrong
        else "Take the penalty out of loss() and use weight_decay, which the search knows.",
        source=SOURCE,
    )


def explains_excess(evidence: InitialLossEvidence) -> bool:
    """Whether a penalty makes half or more of what the initial loss is too high by."""
    outputs, expectation = evidence.description.outputs, evidence.expectation
    if outputs is None or expectation is None:
        return False
    return outputs.penalty >= 0.5 * (evidence.loss - expectation.value) > 0
