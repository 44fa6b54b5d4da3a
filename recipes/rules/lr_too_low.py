"""Step 3: every learning rate in range is too low."""

from __future__ import annotations

import math

from recipes.evidence.lr_finder import LrFinderEvidence, RateResult
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import number, rate

STILL_RATIO = 1e-4
"""Update-to-weight ratio under which weights hardly move; from it on, suspect the data
(notes on diagnosis, row 3)."""

MEMORY_SHARE = 0.02
"""A train loss that falls by this share has moved, whatever unseen samples say."""

SOURCE = "CS231n notes, find a rate that makes the loss fall; notes on diagnosis, rows 3, 16"


@rule("lr_too_low", Precedence.LEARNING_RATE)
def lr_too_low(evidence: LrFinderEvidence) -> Finding | None:
    """No rate moves the loss, none explodes, and the weights hardly change."""
    if evidence.best is not None or not evidence.rates:
        return None
    if evidence.with_result(RateResult.EXPLODES) or moves_weights(evidence):
        return None
    low, high = evidence.rates[0].lr, evidence.rates[-1].lr
    wanted = (
        f"; step 2 memorised its sample at {rate(evidence.overfit_lr)}, "
        f"{math.log10(evidence.overfit_lr / high):.0f} decades higher"
        if evidence.overfit_lr and evidence.overfit_lr > high
        else ""
    )
    return Finding(
        code="lr_too_low",
        severity=Severity.ERROR,
        confidence=0.95,
        sentence=f"Every learning rate from {rate(low)} to {rate(high)} is too low: none moves "
        f"the loss from {number(evidence.rates[0].loss_before)} (largest change of a weight per "
        f"iteration {rate(evidence.largest_update_ratio)} of its size, where 1e-3 is usual)"
        f"{wanted}.",
        evidence={
            "lowest_lr": low,
            "highest_lr": high,
            "largest_update_ratio": evidence.largest_update_ratio,
            "largest_train_fall": evidence.largest_train_fall,
            "overfit_lr": evidence.overfit_lr,
            "threshold_update_ratio": STILL_RATIO,
        },
        causes=(
            Cause(
                code="range_too_low",
                sentence="The space's learning rates lie too low.",
                confidence=0.9,
            ),
            Cause(
                code="frozen_parameters",
                sentence="What matters does not train.",
                confidence=0.3 if "frozen_parameters" in evidence.earlier else 0.05,
            ),
        ),
        action=f"Set the task's lr to Float({rate((evidence.overfit_lr or 1e-2) / 100)}, "
        f"{rate((evidence.overfit_lr or 1e-2) * 10)}, log=True).",
        source=SOURCE,
    )


def moves_weights(evidence: LrFinderEvidence) -> bool:
    """Whether some rate that did not explode changes weights or the train loss visibly."""
    ratio = evidence.largest_update_ratio
    moved = not math.isnan(ratio) and ratio >= STILL_RATIO
    return moved or evidence.largest_train_fall > MEMORY_SHARE
