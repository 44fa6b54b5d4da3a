"""A ReLU or a sigmoid after the last layer, under a loss that takes logits."""

from __future__ import annotations

import math

from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import number, percent

ZERO_SHARE = 0.05
"""Exact zeros among outputs that are never negative: a linear layer gives next to none."""

HALF_SURE = math.log1p(math.exp(-1.0))
UNSURE = math.log(2.0)
"""Logistic loss of logits 1 (for a one) and 0 (for a zero): the ends of a sigmoid's range."""

SOURCE = "AutoTrainer and NeuraLint name the fault; notes on diagnosis, row 7"


@rule("wrong_output_activation", Precedence.PROBE)
def wrong_output_activation(evidence: InitialLossEvidence) -> Finding | None:
    """Logits that are never negative and often exactly zero, or never leave [0, 1].

    Outputs of a regression that are never negative, too, where targets are.
    """
    description, outputs = evidence.description, evidence.description.outputs
    if outputs is None:
        return None
    if description.kind == "regression":
        misses = outputs.stays_non_negative and description.targets.low < 0
        return _clipped(outputs.zero_share, "targets are") if misses else None
    if description.kind not in ("classification", "binary", "multilabel"):
        return None
    takes_logits = not description.own_loss or outputs.loss_is_cross_entropy
    if not (takes_logits and outputs.never_negative):
        return None
    if outputs.stays_in_unit_interval:
        return None if outputs.rows_sum_to_one else _squashed(description.kind)
    # Where no input comes through, or everything is dead, zeros have another reason.
    explained = evidence.ignores_input or outputs.zero_share >= 1.0
    is_clipped = outputs.zero_share > ZERO_SHARE and not explained
    if is_clipped or outputs.stays_non_negative:
        return _clipped(outputs.zero_share, "logits may be")
    return None


def _squashed(kind: str) -> Finding:
    softmax = kind == "classification"
    applied = "cross-entropy applies its softmax" if softmax else "the loss applies its sigmoid"
    floor = (
        ""
        if softmax
        else f" The loss of a certain right answer is then {number(HALF_SURE)} for a one and "
        f"{number(UNSURE)} for a zero, never near 0."
    )
    return Finding(
        code="wrong_output_activation",
        severity=Severity.WARNING,
        confidence=0.95,
        sentence="The outputs never leave 0 to 1, even with weights a hundred times as large: the "
        f"model ends in a sigmoid, and {applied} to what comes out of it.{floor}",
        evidence={"stays_in_unit_interval": True},
        causes=(
            Cause(
                code="sigmoid_on_logits",
                sentence="The model ends in a sigmoid.",
                confidence=0.9,
            ),
        ),
        action="Take the sigmoid out of the model and return logits.",
        source=SOURCE,
    )


def _clipped(zero_share: float, wanted: str) -> Finding:
    return Finding(
        code="wrong_output_activation",
        severity=Severity.WARNING,
        confidence=0.9,
        sentence="The outputs look clipped at zero: none is negative, where "
        f"{wanted}, and {percent(zero_share)} are exactly 0. Clipped outputs pass no gradient, "
        "and stay where they are.",
        evidence={"zero_share": zero_share, "threshold": ZERO_SHARE},
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
