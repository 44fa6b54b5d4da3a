"""Step 3: every learning rate in range is too high."""

from __future__ import annotations

from recipes.evidence.lr_finder import LrFinderEvidence, RateResult
from recipes.finding import Cause, Finding, Severity
from recipes.rules.non_finite_loss import LOWEST_SENSIBLE_LR
from recipes.rules.registry import Precedence, rule
from recipes.words import number, rate

SOURCE = "CS231n notes, find a rate that makes the loss fall; notes on diagnosis, row 14"


@rule("lr_too_high", Precedence.LEARNING_RATE)
def lr_too_high(evidence: LrFinderEvidence) -> Finding | None:
    """Every rate explodes: no lower one was tried."""
    exploding = evidence.with_result(RateResult.EXPLODES)
    if not evidence.rates or len(exploding) < len(evidence.rates):
        return None
    if all(each.non_finite for each in exploding) and exploding[0].lr <= LOWEST_SENSIBLE_LR:
        return None
    low = exploding[0].lr
    return Finding(
        code="lr_too_high",
        severity=Severity.ERROR,
        confidence=0.9,
        sentence=f"Every learning rate from {rate(low)} to {rate(exploding[-1].lr)} is too high: "
        f"the loss explodes from {number(exploding[0].loss_before)} within a hundred iterations.",
        evidence={"lowest_lr": low, "overfit_lr": evidence.overfit_lr},
        causes=(
            Cause(
                code="range_too_high",
                sentence="The space's learning rates lie too high.",
                confidence=0.8,
            ),
            Cause(
                code="loss_unbounded",
                sentence="The loss has the wrong sign or no lower bound.",
                confidence=0.2,
            ),
        ),
        action=f"Set the task's lr to Float({rate(low / 1e4)}, {rate(low)}, log=True).",
        source=SOURCE,
    )
