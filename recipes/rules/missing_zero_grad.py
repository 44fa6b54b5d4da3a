"""Gradients that are never cleared, so that every step repeats all the earlier ones."""

from __future__ import annotations

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.initial_loss import InitialLossEvidence
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.words import number, percent

STALE_SHARE = 0.5
"""Share of sampled iterations that begin with a gradient left over. A clean loop has none."""

GROWTH = (1.5, 2.5)
"""The same gradient taken twice, cleared in between, over the first: 1 in a clean model, 2 where
gradients add up."""

SOURCE = "Notes on diagnosis, row 41"


@rule("missing_zero_grad", Precedence.PROBE)
def gradients_add_up(evidence: InitialLossEvidence) -> Finding | None:
    """The same gradient is twice as large the second time, though it was cleared."""
    outputs = evidence.description.outputs
    if outputs is None or outputs.gradient_growth is None:
        return None
    growth = outputs.gradient_growth
    if not GROWTH[0] <= growth <= GROWTH[1]:
        return None
    return _finding(
        f"Gradients are kept although they are cleared: the same batch twice gives a gradient "
        f"{number(growth, 2)} times as large the second time, where a clean model gives the same "
        "one, so each step goes in the direction of a sum over all past batches and overshoots.",
        {"gradient_growth": growth, "threshold": GROWTH[0]},
    )


@rule("missing_zero_grad", Precedence.PROBE)
def missing_zero_grad(evidence: CurveEvidence) -> Finding | None:
    """Gradients are there before the backward pass, in most sampled iterations."""
    share = evidence.series.gradients.stale_share
    if not share >= STALE_SHARE:  # NaN where nothing was sampled
        return None
    return _finding(
        f"Gradients are not cleared: {percent(share)} of the iterations looked at begin "
        "with the gradient of earlier ones, where a clean loop has none, so each step goes in the "
        "direction of a sum over all past batches and overshoots.",
        {"stale_share": share, "threshold": STALE_SHARE},
    )


def _finding(sentence: str, numbers: dict[str, float]) -> Finding:
    return Finding(
        code="missing_zero_grad",
        severity=Severity.ERROR,
        confidence=0.95,
        sentence=sentence,
        evidence={**numbers},
        causes=(
            Cause(
                code="no_zero_grad",
                sentence="zero_grad() is not called, or not on every iteration.",
                confidence=0.7,
            ),
            Cause(
                code="not_in_optimizer",
                sentence="Parameters that the optimiser does not know (made or replaced after it "
                "was built) gather gradients and never change.",
                confidence=0.5,
            ),
            Cause(
                code="accumulation",
                sentence="Gradients are gathered over several batches on purpose.",
                confidence=0.1,
            ),
        ),
        action="Make all parameters in the model's constructor, and let nothing in forward() or a "
        "hook write to their grad. Cheapest experiment: print which parameters have a grad at the "
        "start of forward(): all of them means zero_grad, a few means the optimiser.",
        source=SOURCE,
    )
