"""A loss that never leaves the best constant prediction."""

from __future__ import annotations

import math

from recipes.evidence.overfit_sample import MemorisingRun, OverfitEvidence
from recipes.finding import Finding, Severity
from recipes.rules.overfit_causes import overfit_causes
from recipes.rules.registry import Precedence, rule
from recipes.words import listing, number, rate

STUCK_SHARE = 0.02
"""A loss that ends within this share of chance has not moved from it."""

SOURCE = "CS231n notes; notes on diagnosis, row 3"


@rule("stuck_at_chance", Precedence.NO_LEARNING)
def stuck_at_chance(evidence: OverfitEvidence) -> Finding | None:
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
