"""A loss that never leaves the best constant prediction."""

from __future__ import annotations

import math

from recipes.evidence.lr_finder import LrFinderEvidence
from recipes.evidence.overfit_sample import MemorisingRun, OverfitEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.lr_too_low import moves_weights
from recipes.rules.noisy_labels import STRUCTURAL
from recipes.rules.overfit_causes import overfit_causes
from recipes.rules.registry import Precedence, rule
from recipes.words import listing, number, rate

STUCK_SHARE = 0.02
"""A loss that ends within this share of chance has not moved from it."""

SOURCE = "CS231n notes; notes on diagnosis, row 3"


@rule("stuck_at_chance", Precedence.NO_LEARNING)
def stuck_on_sample(evidence: OverfitEvidence) -> Finding | None:
    """Every finite run ends where a constant prediction stands."""
    chance = evidence.chance
    finite = [run for run in evidence.runs if math.isfinite(run.end_loss)]
    if evidence.passed or chance is None or not finite:
        return None
    if not all(_is_at(chance, run) for run in finite):
        return None
    return Finding(
        code="stuck_at_chance",
        severity=Severity.ERROR,
        confidence=0.9,
        sentence=f"The loss stays at chance: {number(finite[0].end_loss)} against "
        f"{number(chance)} for the best constant prediction, at every learning rate tried "
        f"({listing([rate(run.lr) for run in finite])}).",
        evidence={"chance": chance, "loss": finite[0].end_loss, "threshold_share": STUCK_SHARE},
        causes=overfit_causes(evidence),
        action="Check in this order: is the loss attached to the model's outputs, do all "
        "parameters train, do inputs reach the last layer?",
        source=SOURCE,
    )


def _is_at(chance: float, run: MemorisingRun) -> bool:
    return abs(run.end_loss - chance) <= STUCK_SHARE * max(abs(chance), 1e-12)


@rule("stuck_at_chance", Precedence.NO_LEARNING)
def stuck_on_training_data(evidence: LrFinderEvidence) -> Finding | None:
    """No rate works, and step 1 already found why the model cannot learn."""
    known = [code for code in evidence.earlier if code in STRUCTURAL]
    if evidence.best is not None or not known or not moves_weights(evidence):
        return None
    low, high = evidence.rates[0].lr, evidence.rates[-1].lr
    return Finding(
        code="stuck_at_chance",
        severity=Severity.ERROR,
        confidence=0.8,
        sentence=f"The loss on unseen samples stays at chance at every learning rate from "
        f"{rate(low)} to {rate(high)}, though weights move. Step 1 found why: {known[0]}.",
        evidence={
            "found_in_step_1": known[0],
            "largest_train_fall": evidence.largest_train_fall,
            "largest_update_ratio": evidence.largest_update_ratio,
        },
        causes=(
            Cause(code=known[0], sentence="What step 1 found is still there.", confidence=0.8),
            Cause(
                code="noisy_labels",
                sentence="Or inputs and labels are paired wrongly.",
                confidence=0.3,
            ),
        ),
        action="Mend what step 1 found, then run the study again.",
        source=SOURCE,
    )
