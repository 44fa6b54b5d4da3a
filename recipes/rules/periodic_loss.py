"""A train loss that repeats itself epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.trend import Array, robust_sd
from recipes.words import number, percent

CORRELATION = 0.3
CORRELATION_ERRORS = 2.0
"""Autocorrelation at a lag of one epoch: at least this, and this over sqrt(N) (row 29)."""

LEAST_EPOCHS = 3
LEAST_LAG = 4
"""Epochs (row 29), and points of the loss in one of them: with fewer there is no shape."""

OVER_STEP = 2.0
"""Swing within an epoch over the fall from one to the next (ours). A model that memorises comes
down in a staircase, one step where an epoch begins: it repeats too, but swings no further than
it falls."""

CLIPPED_SDS = 3.0
SWING_PERCENTILES = (10, 90)
"""What single points of an epoch may do to correlation and swing: little (ours)."""

RELEVANT_SHARE = 0.05
"""Swing that counts, as a share of the loss at the start (ours)."""

SOURCE = "Notes on diagnosis, row 29"


@dataclass(frozen=True, slots=True)
class _Cycle:
    correlation: float
    swing: float
    lag: int


@rule("periodic_loss", Precedence.NOISE)
def periodic_loss(evidence: CurveEvidence) -> Finding | None:
    """Autocorrelation of the detrended loss at one epoch. Silent under a cyclic rate."""
    if not is_enough("periodic_loss", evidence) or evidence.series.rate_rises:
        return None
    losses = evidence.series.losses
    cycle = _cycle(losses, evidence.epochs)
    if cycle is None:
        return None
    start = abs(float(np.median(losses[:3])))
    return Finding(
        code="periodic_loss",
        severity=Severity.WARNING,
        confidence=0.8,
        sentence=f"The train loss repeats itself every epoch: it correlates by "
        f"{number(cycle.correlation, 2)} with itself one epoch later ({number(CORRELATION)} "
        f"count) and swings by {number(cycle.swing)}, {percent(cycle.swing / max(start, 1e-12))} "
        "of what it began with: the same kind of samples come at the same place each time, and "
        "the model unlearns one kind while it learns the next.",
        evidence={
            "correlation": cycle.correlation,
            "swing": cycle.swing,
            "points_per_epoch": cycle.lag,
            "threshold": CORRELATION,
        },
        causes=(
            Cause(
                code="not_shuffled",
                sentence="The samples are not shuffled, and lie sorted.",
                confidence=0.8,
            ),
            Cause(
                code="cyclic_rate",
                sentence="The learning rate follows a cycle of an epoch.",
                confidence=0.2,
            ),
        ),
        action="Shuffle the training data anew for every epoch. Cheapest experiment: two epochs "
        "with shuffling; if the swings stay, look at the learning rate.",
        source=SOURCE,
    )


def _cycle(losses: Array, epochs: int) -> _Cycle | None:
    from scipy.ndimage import uniform_filter1d  # a quarter of a second of imports

    lag = round(len(losses) / max(1, epochs))
    if epochs < LEAST_EPOCHS or lag < LEAST_LAG or len(losses) < LEAST_EPOCHS * lag:
        return None
    # The mean over one whole period takes the trend out and leaves the period in. It is off
    # within half an epoch of either end, and the first epoch falls too fast.
    trend = uniform_filter1d(losses, size=lag, mode="nearest")
    rest = (losses - trend)[lag : len(losses) - lag // 2]
    if len(rest) < 2 * lag:
        return None
    spread = robust_sd(rest)
    if not spread > 1e-9 * float(np.max(np.abs(losses)) + 1e-300):
        return None
    # One point an epoch that stands out is its small last batch, no order of the data.
    kept = np.clip(rest / spread, -CLIPPED_SDS, CLIPPED_SDS)
    first, second = kept[:-lag], kept[lag:]
    if not (float(np.std(first)) > 0 and float(np.std(second)) > 0):
        return None
    correlation = float(np.corrcoef(first, second)[0, 1])
    if correlation <= max(CORRELATION, CORRELATION_ERRORS / np.sqrt(len(rest))):
        return None
    whole = len(rest) // lag
    profile = np.median(rest[: whole * lag].reshape(whole, lag), axis=0)
    low, high = np.percentile(profile, SWING_PERCENTILES)
    swing = float(high - low)
    num_epochs = len(losses) // lag
    levels = losses[: num_epochs * lag].reshape(num_epochs, lag).mean(1)
    step = float(np.median(np.abs(np.diff(levels[1:])))) if num_epochs > 2 else 0.0
    start = abs(float(np.median(losses[:3])))
    if swing <= max(OVER_STEP * step, RELEVANT_SHARE * start):
        return None
    return _Cycle(correlation, swing, lag)
