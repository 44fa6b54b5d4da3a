"""A run whose loss stands where guessing does, from its first evaluation to its last."""

from __future__ import annotations

import math

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.overfit_sample import STUCK_SHARE
from recipes.evidence.trial_series import EpochSeries
from recipes.finding import Cause, Finding, Severity
from recipes.rules.curve_lr_too_low import lr_too_low_beside_peer, lr_too_low_on_curve
from recipes.rules.registry import Precedence, rule
from recipes.rules.stuck_at_chance import SOURCE
from recipes.words import number, percent, plural

LEAST_EPOCHS = 5
"""Evaluations of the train loss, all at chance, before want of time is no excuse (ours)."""

GUESS_SHARE = 0.1
"""How far, as a share of 1/C, an accuracy may lie from guessing among C classes where C is not
told but read from the accuracy itself: 200 samples of ten classes scatter by twice as much, and
of few samples C cannot be read (ours)."""


@rule("stuck_at_chance", Precedence.NO_LEARNING)
def stuck_on_curve(evidence: CurveEvidence) -> Finding | None:
    """Every train and validation loss lies within a fiftieth of the best constant prediction's.

    Silent where step 2 looked: there a sample was memorised or not, which tells more; and where
    the rate is known to be too low.
    """
    if evidence.memorises is not None or len(evidence.train_loss) < LEAST_EPOCHS:
        return None
    chance = evidence.baseline
    classes = None if chance is not None else _classes(evidence)
    if classes is not None:
        chance = math.log(classes)
    if chance is None or not _stays_at(chance, evidence.train_loss):
        return None
    if len(evidence.val_loss) and not _stays_at(chance, evidence.val_loss):
        return None
    if lr_too_low_on_curve(evidence) is not None or lr_too_low_beside_peer(evidence) is not None:
        return None
    losses, val = evidence.train_loss.trained, evidence.val
    guess = "the best constant prediction" if classes is None else f"guessing among {classes}"
    scores = (
        f"; validation {evidence.metric.label} ends at "
        f"{evidence.metric.text(val.end, val.end_error)}"
        if len(val) and evidence.metric.name != "loss"
        else ""
    )
    return Finding(
        code="stuck_at_chance",
        severity=Severity.WARNING,
        confidence=0.9,
        sentence=f"The loss stays at chance: over {plural(len(losses), 'epoch')} the train loss "
        f"lies between {number(float(losses.min()), 5)} and {number(float(losses.max()), 5)}, "
        f"within {percent(STUCK_SHARE)} of the {number(chance, 5)} of {guess}{scores}: nothing "
        "was learned.",
        evidence={
            "chance": chance,
            "loss": float(losses[-1]),
            "num_classes": classes,
            "val": val.end,
            "epochs": len(losses),
            "threshold_share": STUCK_SHARE,
        },
        causes=(
            Cause(
                code="lr_wrong",
                sentence="The learning rate is far too low to move the weights, or so high that "
                "the first steps killed the units.",
                confidence=0.5,
            ),
            Cause(
                code="labels_mismatched",
                sentence="Inputs and labels do not belong together.",
                confidence=0.4,
            ),
            Cause(
                code="no_gradient",
                sentence="No gradient reaches the weights: they are frozen, detached, or not the "
                "optimiser's.",
                confidence=0.4,
            ),
        ),
        action="Check in this order: do the weights move at this learning rate (try a tenth of it "
        "and ten times it), do the labels belong to their inputs, does a gradient reach every "
        "parameter? Cheapest experiment: memorise twenty samples, as sevenstep check TASK does.",
        source=SOURCE,
    )


def _stays_at(chance: float, losses: EpochSeries) -> bool:
    return bool(np.all(np.abs(losses.trained - chance) <= STUCK_SHARE * abs(chance)))


def _classes(evidence: CurveEvidence) -> int | None:
    """How many classes are guessed among: as told, else as the accuracy says throughout."""
    description = evidence.description
    if description.kind not in ("classification", "binary"):
        return None
    if description.num_classes is not None:
        return description.num_classes
    val = evidence.val
    if evidence.metric.name != "accuracy" or not len(val) or not val.end > 0:
        return None
    classes = round(1 / val.end)
    is_guess = np.all(np.abs(val.trained * classes - 1) <= GUESS_SHARE)
    return classes if classes >= 2 and is_guess else None
