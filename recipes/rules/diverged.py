"""A loss that explodes whatever the learning rate."""

from __future__ import annotations

from recipes.evidence.overfit_sample import OverfitEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.trial import TrialCause
from recipes.words import rate

SOURCE = "notes on diagnosis, row 14 (the recipe's factor of three)"


@rule("diverged", Precedence.DIVERGED)
def diverged(evidence: OverfitEvidence) -> Finding | None:
    """Every learning rate makes the loss explode, without all of them reaching NaN."""
    gone = [
        run for run in evidence.runs if run.cause in (TrialCause.DIVERGED, TrialCause.NON_FINITE)
    ]
    if len(gone) < len(evidence.runs) or all(r.cause is TrialCause.NON_FINITE for r in gone):
        return None
    return Finding(
        code="diverged",
        severity=Severity.ERROR,
        confidence=0.9,
        sentence=f"The loss explodes at every learning rate down to "
        f"{rate(min(run.lr for run in gone))}, where a small sample should be memorised.",
        evidence={"lowest_lr": min(run.lr for run in gone), "num_settings": len(gone)},
        causes=(
            Cause(
                code="wrong_sign",
                sentence="Training climbs the loss: its sign is turned, or it has no lower bound.",
                confidence=0.5,
            ),
            Cause(
                code="bad_initialisation",
                sentence="Weights or inputs are so large that small rates already overshoot.",
                confidence=0.4,
            ),
        ),
        action="Check the sign of the loss and the scale of inputs and initial weights.",
        source=SOURCE,
    )
