"""A ReLU after the last layer, under a loss that takes logits."""

from __future__ import annotations

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import percent

ZERO_SHARE = 0.05
"""Exact zeros among outputs that are never negative: a linear layer gives next to none."""

SOURCE = "AutoTrainer and NeuraLint name the fault; notes on diagnosis, row 7"


@rule("wrong_output_activation", Precedence.PROBE)
def wrong_output_activation(evidence: InitialLossEvidence) -> Finding | None:
    """Logits that are never negative and often exactly zero."""
    description, outputs = evidence.description, evidence.description.outputs
    if outputs is None or description.kind not in ("classification", "binary", "multilabel"):
        return None
    takes_logits = not description.own_loss or outputs.loss_is_cross_entropy
    # Where no input comes through, or everything is dead, zeros have another reason.
    explained = evidence.ignores_input or outputs.zero_share >= 1.0
    if explained or not (takes_logits and outputs.never_negative):
        return None
    if outputs.zero_share <= ZERO_SHARE:
        return None
    return Finding(
        code="wrong_output_activation",
        severity=Severity.WARNING,
        confidence=0.9,
        sentence=f"The outputs look clipped at zero: none is negative and "
        f"{percent(outputs.zero_share)} are exactly 0, where logits may take any value. Clipped "
        "outputs pass no gradient, and no class can be ruled out.",
        evidence={"zero_share": outputs.zero_share, "threshold": ZERO_SHARE},
        causes=(
            Cause(
                code="relu_on_logits",
                sentence="The model ends in a ReLU.",
                confidence=0.9,
            ),
        ),
        action="Take the activation after the last layer out of the model.",
        source=SOURCE,
    )
