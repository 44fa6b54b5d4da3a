"""Step 3: regularisation so strong that no learning rate lowers the loss."""

from __future__ import annotations

from recipes.evidence.lr_finder import LrFinderEvidence, RateResult
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import listing, number, rate

SOURCE = "Karpathy's recipe, regularise after it overfits; notes on diagnosis, row 33"


@rule("underfitting", Precedence.LEARNING_RATE)
def underfitting_in_finder(evidence: LrFinderEvidence) -> Finding | None:
    """No rate lowers the loss on unseen samples, and without regularisation one does."""
    if evidence.best is not None:
        return None
    freed = [each for each in evidence.bare if each.result is RateResult.FALLS]
    if not freed:
        return None
    best = min(freed, key=lambda each: each.loss_after)
    held = listing(list(evidence.regularisation), most=5)
    return Finding(
        code="underfitting",
        severity=Severity.ERROR,
        confidence=0.9,
        sentence=f"Regularisation holds the model down: with it no learning rate lowers the loss "
        f"on unseen samples, without it ({held}) the loss goes from {number(best.loss_before)} to "
        f"{number(best.loss_after)} in {best.iterations} iterations at {rate(best.lr)}.",
        evidence={
            "lr": best.lr,
            "loss_before": best.loss_before,
            "loss_after_without": best.loss_after,
            "regularisation": held,
        },
        causes=(
            Cause(
                code="over_regularised",
                sentence=f"Too strong: {held}.",
                confidence=0.9,
            ),
        ),
        action="Cut the regularisation to a tenth and run this step again.",
        changes=(Adjustment(name="weight_decay", factor=0.1),),
        source=SOURCE,
    )
