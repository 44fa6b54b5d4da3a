"""A train loss that scatters widely from batch to batch."""

from __future__ import annotations

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.trend import robust_sd, running_median
from recipes.words import number, percent

WINDOW = 21
"""Iterations of the running median it scatters around (notes on diagnosis, section 4)."""

NOISY_SHARE = 0.3
"""Scatter over level from which batches are noisy (notes on diagnosis, row 28)."""

LEARNED_SHARE = 0.1
"""Under this share of the initial loss every batch is either right or not: scatter is the
nature of a small loss, not a fault (ours)."""

SOURCE = "CS231n notes, wiggle and batch size; notes on diagnosis, row 28"


@rule("noisy_loss", Precedence.NOISE)
def noisy_loss(evidence: CurveEvidence) -> Finding | None:
    """Scatter around the running median above 0.3 of it, over the second half."""
    if not is_enough("noisy_loss", evidence):
        return None
    losses = evidence.series.losses
    half = losses[len(losses) // 2 :]
    course = running_median(half, WINDOW)
    level, start = float(np.median(course)), float(np.median(losses[:3]))
    spread = robust_sd(half - course)
    if not (start > 0 and level > LEARNED_SHARE * start and spread > NOISY_SHARE * level):
        return None
    batch = evidence.series.params.get("batch_size", evidence.description.default_batch_size)
    return Finding(
        code="noisy_loss",
        severity=Severity.INFO,
        confidence=0.6,
        sentence=f"The train loss scatters by {number(spread, 2)} (sd) from batch to batch around "
        f"{number(level)}, {percent(spread / level)} of it where {percent(NOISY_SHARE)} count: a "
        f"batch of {batch} says little about the whole.",
        evidence={
            "sd": spread,
            "level": level,
            "batch_size": batch,
            "threshold": NOISY_SHARE,
        },
        causes=(
            Cause(code="small_batch", sentence="The batch is small.", confidence=0.6),
            Cause(
                code="mixed_samples",
                sentence="Samples differ widely in difficulty.",
                confidence=0.4,
            ),
        ),
        action="Batches two to four times as large, the learning rate times 1.4 to 2 with them. "
        "Cheapest experiment: one epoch so.",
        source=SOURCE,
    )
