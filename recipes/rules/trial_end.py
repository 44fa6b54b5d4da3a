"""Trials that ended early because their loss exploded or stopped being a number."""

from __future__ import annotations

import math

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.trial import TrialCause
from recipes.words import number, plural, rate, rate_or

EXPLODING = 2.0
"""Growth of the loss over its median, in the last iterations, that points at the rate
rather than at one batch (notes on diagnosis, row 13)."""

LAST_POINTS = 20
"""Points before the end that are looked at (row 13)."""

SOURCE = "The recipe's factor of three; notes on diagnosis, rows 13 and 14"


@rule("diverged", Precedence.DIVERGED)
def diverged_trial(evidence: CurveEvidence) -> Finding | None:
    """The train loss rose above the limit of three times the initial one."""
    if evidence.series.cause is not TrialCause.DIVERGED:
        return None
    losses, lr = evidence.series.losses, evidence.series.lr
    course = (
        f" from {number(float(losses[0]))} to {number(float(losses[-1]))}" if len(losses) else ""
    )
    # A rate that explodes before the first epoch is out is far above what trains (row 14: 3..10).
    factor, words = (0.1, "a tenth of it") if not evidence.epochs else (1 / 3, "a third of it")
    return Finding(
        code="diverged",
        severity=Severity.WARNING,
        confidence=0.95,
        sentence=f"Diverged: the train loss rose{course} within "
        f"{_length(evidence)}, above three times its initial value{_at(lr)}.",
        evidence={"iterations": evidence.series.iterations, "lr": lr},
        causes=(_rate_too_high(0.9),),
        action=f"A rate of {rate_or(factor * lr, words)} or below; or clip the gradient and warm "
        "up.",
        changes=(Adjustment(name="lr", factor=factor),),
        source=SOURCE,
    )


@rule("non_finite_loss", Precedence.NON_FINITE)
def non_finite_trial(evidence: CurveEvidence) -> Finding | None:
    """The loss became NaN or infinite; the iterations before tell the rate from a batch."""
    if evidence.series.cause is not TrialCause.NON_FINITE:
        return None
    losses, lr = evidence.series.losses, evidence.series.lr
    grew = bool(
        len(losses) >= 2 and losses[-1] > EXPLODING * abs(float(np.median(losses[-LAST_POINTS:])))
    )
    one_batch = Cause(
        code="bad_batch",
        sentence="One batch holds a value that is not finite, or a log or division of zero.",
        confidence=0.2 if grew else 0.6,
    )
    rate_cause = _rate_too_high(0.9 if grew else 0.5)
    unit = "iteration" if evidence.series.iterations else "epoch"
    how = "after it had grown for iterations" if grew else f"from one {unit} to the next"
    return Finding(
        code="non_finite_loss",
        severity=Severity.WARNING,
        confidence=0.95,
        sentence=f"The loss became NaN or infinite after {_length(evidence)}{_at(lr)}, {how}.",
        evidence={
            "iterations": evidence.series.iterations,
            "lr": lr,
            "last_finite_loss": float(losses[-1]) if len(losses) else None,
            "grew_before": grew,
        },
        causes=(rate_cause, one_batch) if grew else (one_batch, rate_cause),
        action=f"A rate of {rate_or(lr / 10, 'a tenth of it')}."
        if grew
        else "Replay that batch at a rate of 0: if its loss is not finite, look at its samples.",
        changes=(Adjustment(name="lr", factor=0.1),) if grew else (),
        source=SOURCE,
    )


def _length(evidence: CurveEvidence) -> str:
    """How long its loss was a number; in epochs where a log tells no iterations."""
    if evidence.series.iterations:
        return plural(evidence.series.iterations, "iteration")
    return plural(len(evidence.train_loss), "epoch")  # other metrics may be told beyond


def _at(lr: float) -> str:
    return f" at a learning rate of {rate(lr)}" if math.isfinite(lr) else ""


def _rate_too_high(confidence: float) -> Cause:
    return Cause(
        code="lr_high",
        sentence="The learning rate is too high for this setting.",
        confidence=confidence,
    )
