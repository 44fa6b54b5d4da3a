"""Whether learning is impaired: the gate before every rule on a model's internals.

With its gate lifted, AutoTrainer's gradient rules flagged 15 of 15 runs, 14 of them healthy
(notes on diagnosis, precedence): internals are evidence of a cause, never of a fault.
"""

from __future__ import annotations

import math

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.rules.overfitting import gap_matters
from recipes.rules.train_eval_mismatch import is_mode_at_fault
from recipes.rules.underfitting import FITTED, FITTED_LOSS_SHARE, LEARNING_SHARE, doubt
from recipes.trial import TrialCause
from recipes.words import number, percent

EXPLODED = (TrialCause.DIVERGED, TrialCause.NON_FINITE)

STALLED_SHARE = 0.7
"""A train loss above this share of where it starts (or of a constant prediction's, if that is
lower) has hardly been learned from (ours)."""

LEAST_EPOCHS = 3
"""Epochs before which a loss may still be high for want of time (ours)."""

LEAST_POINTS = 40
"""Points of the train loss that stand for epochs where none was evaluated (ours)."""


def impairment(evidence: CurveEvidence) -> str | None:
    """What is wrong with the course of learning, to stand in a sentence; None when nothing is.

    Args:
        evidence: The trial. Impaired: its loss exploded, or stayed near where it started, or
            stands still with its own training samples neither fitted nor, by far, better
            known than the validation samples, where a better fit is to be had. Where eval
            mode is at fault the losses tell nothing of it.
    """
    if evidence.series.cause in EXPLODED:
        return "the loss exploded"
    if is_mode_at_fault(evidence):
        return None
    loss = _loss(evidence)
    starts = [evidence.start_loss, _first_loss(evidence)]
    start = next((each for each in starts if math.isfinite(each)), math.nan)
    reference = min(start, evidence.baseline) if evidence.baseline is not None else start
    if reference > 0 and loss > STALLED_SHARE * reference:  # false for NaN
        return (
            f"the train loss is still {number(loss)}, {percent(loss / reference)} of that of a "
            "model that knows nothing"
        )
    outlook, metric, end = evidence.train_outlook, evidence.metric, evidence.train.end
    if outlook is None or outlook.gain > LEARNING_SHARE * abs(loss):
        return None
    if gap_matters(evidence):
        return None  # it fits what it is trained on better than the rest: nothing holds it up
    if metric.has_points:
        if end < FITTED and not doubt(evidence):
            return (
                f"the train loss stands still at {number(loss)} with {metric.label} "
                f"{metric.text(end)} on the training samples themselves"
            )
    elif evidence.baseline is not None and loss > FITTED_LOSS_SHARE * evidence.baseline:
        return f"the train loss stands still at {number(loss)}"
    return None


def is_rate_cleared(evidence: CurveEvidence) -> bool:
    """Whether the LR-drop probe found that a lower rate changes nothing."""
    return evidence.lr_drop is not None and not evidence.lr_drop.confirms


def _loss(evidence: CurveEvidence) -> float:
    """The train loss at the end, by epoch or else by iteration; NaN when it is too early."""
    if len(evidence.train_loss) >= LEAST_EPOCHS:
        return evidence.train_loss.end
    losses = evidence.series.losses
    if len(evidence.train_loss) or len(losses) < LEAST_POINTS:
        return math.nan
    return float(np.median(losses[-LEAST_POINTS // 4 :]))


def _first_loss(evidence: CurveEvidence) -> float:
    losses = evidence.series.losses
    return float(np.median(losses[:3])) if len(losses) else math.nan
