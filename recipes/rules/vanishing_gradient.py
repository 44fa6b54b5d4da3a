"""Gradients that are gone by the time they reach the first layer."""

from __future__ import annotations

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.dead_relu import FAIL_SHARE
from recipes.rules.impairment import impairment
from recipes.rules.registry import Precedence, rule
from recipes.words import rate

VANISHED_RATIO = 1e-3
VANISHED_NORM = 1e-4
"""First weight tensor's gradient norm over the last one's, and by itself: both must be this
small, because a small gradient alone is what a trained model has (AutoTrainer; row 22)."""

SOURCE = "AutoTrainer, vanishing gradient; notes on diagnosis, row 22"


@rule("vanishing_gradient", Precedence.INTERNALS_AT_START)
def vanishing_at_start(evidence: InitialLossEvidence) -> Finding | None:
    """Before training, in the median of the initialisations. A gradient of exactly zero is a
    dead layer's, or an input's that is not used: these have their own rules."""
    ends = evidence.gradient_ends
    if ends is None or ends.first <= 0:
        return None
    if not has_vanished(ends.first, ends.last):
        return None
    return _finding(
        ends.first,
        ends.last,
        f"from {ends.last_name} ({rate(ends.last)}) to {ends.first_name} ({rate(ends.first)})",
        "before training: the first layers will stay as they were drawn",
        confidence=0.9,
    )


@rule("vanishing_gradient", Precedence.INTERNALS)
def vanishing_in_training(evidence: CurveEvidence) -> Finding | None:
    """Impaired, and in the median of the sampled iterations. Silent where units are dead."""
    gradients = evidence.series.gradients
    if evidence.series.dead_share > FAIL_SHARE:  # no gradient passes a dead unit
        return None
    if not has_vanished(gradients.first, gradients.last):
        return None
    if not all(each.trainable and each.reached for each in evidence.description.parameters):
        return None  # nothing reaches them: frozen_parameters says so
    impaired = impairment(evidence)
    if impaired is None:
        return None
    return _finding(
        gradients.first,
        gradients.last,
        f"from the last weights ({rate(gradients.last)}) to the first ({rate(gradients.first)})",
        f"in the median iteration, and {impaired}: the first layers do not learn",
        confidence=0.85,
    )


def has_vanished(first: float, last: float) -> bool:
    """Whether the gradient is lost between last and first weights; false for NaN."""
    return first < VANISHED_RATIO * last and first < VANISHED_NORM


def _finding(
    first: float, last: float, course: str, consequence: str, *, confidence: float
) -> Finding:
    return Finding(
        code="vanishing_gradient",
        severity=Severity.WARNING,
        confidence=confidence,
        sentence=f"The gradient's norm shrinks {course}, to {rate(first / last)} of it where "
        f"{rate(VANISHED_RATIO)} counts, {consequence}.",
        evidence={
            "first_norm": first,
            "last_norm": last,
            "ratio": first / last,
            "threshold_ratio": VANISHED_RATIO,
            "threshold_norm": VANISHED_NORM,
        },
        causes=(
            Cause(
                code="depth",
                sentence="Many layers without residual connections or normalisation.",
                confidence=0.6,
            ),
            Cause(
                code="saturating_activation",
                sentence="Sigmoid or tanh, whose slopes multiply to nothing.",
                confidence=0.5,
            ),
            Cause(
                code="init_scale",
                sentence="The initial weights are too small for the layers' width.",
                confidence=0.4,
            ),
        ),
        action="Residual connections or normalisation layers, ReLU in place of sigmoid, He's "
        "weights (init=kaiming); the learning rate does not cure it. Cheapest experiment: the "
        "initial loss step again with init=kaiming; if the ratio stays, it is depth.",
        changes=(Adjustment(name="init", value="kaiming"),),
        source=SOURCE,
    )
