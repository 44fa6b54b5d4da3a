"""A train loss that repeats itself epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.trend import Array, robust_sd
from recipes.words import number, percent

PLACE_SHARE = 0.15
P_VALUE = 1e-5
"""Share of the loss's scatter around its course that follows from the place in the epoch (the
intraclass correlation of a one-way analysis of variance, Fisher 1925), and the p of its F test,
strict because a study asks it of hundreds of trials.
Row 29 asks for an autocorrelation of 0.3 at a lag of one epoch, which compares two single points;
places are compared by means over all epochs. Of long trials whose data were shuffled, none of
the fault bench's exceeded 0.10, and a short one had 0.25 at a p of 3e-4; in order, the weakest
that can be told at all had 0.21 at 3e-22."""

LEAST_EPOCHS = 3
LEAST_LAG = 4
"""Epochs (row 29), and points of the loss in one of them: with fewer there is no shape."""

OVER_STEP = 1.5
"""Swing within an epoch over the fall from one to the next (ours). A model that memorises comes
down in a staircase, one step where an epoch begins: it repeats too, but swings no further than
it falls."""

CLIPPED_SDS = 3.0
SWING_PERCENTILES = (10, 90)
"""What single points of an epoch may do to test and swing: little (ours)."""

RELEVANT_SHARE = 0.02
"""Swing that counts, as a share of the loss at the start (ours): what epochs agree on need not be
large to be a fault of the data's order."""

SOURCE = "Fisher 1925, analysis of variance; notes on diagnosis, row 29"


@dataclass(frozen=True, slots=True)
class _Cycle:
    share: float
    p: float
    swing: float
    num_places: int


@rule("periodic_loss", Precedence.NOISE)
def periodic_loss(evidence: CurveEvidence) -> Finding | None:
    """The place in the epoch tells how far the loss lies off its course.

    Of what is left of the loss when its mean over one epoch is taken out, with mean squares B
    between places and W within one, and n points a place: F = B / W, and the share that follows
    from the place is (B - W) / (B + (n - 1) W). Silent under a cyclic rate.
    """
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
        sentence=f"The train loss repeats itself every epoch: {percent(cycle.share)} of how far "
        f"it lies off its course follows from the place in the epoch ({percent(PLACE_SHARE)} "
        f"count), and within one it swings by {number(cycle.swing)}, "
        f"{percent(cycle.swing / max(start, 1e-12))} of what it began with: the same kind of "
        "samples come at the same place each time, and the model unlearns one kind while it "
        "learns the next.",
        evidence={
            "share_of_place": cycle.share,
            "p": cycle.p,
            "swing": cycle.swing,
            "points_per_epoch": cycle.num_places,
            "threshold": PLACE_SHARE,
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

    period = len(losses) / max(1, epochs)
    lag = round(period)
    if epochs < LEAST_EPOCHS or lag < LEAST_LAG or len(losses) < LEAST_EPOCHS * lag:
        return None
    # The mean over one whole period takes the trend out and leaves the period in. It is off
    # within half an epoch of either end, and the first epoch falls too fast.
    trend = uniform_filter1d(losses, size=lag, mode="nearest")
    kept = slice(lag, len(losses) - lag // 2)
    rest = (losses - trend)[kept]
    if len(rest) < 2 * lag:
        return None
    spread = robust_sd(rest)
    if not spread > 1e-9 * float(np.max(np.abs(losses)) + 1e-300):
        return None
    # Of a thinned series an epoch need not be a whole number of points.
    at = (np.arange(len(losses)) % period).astype(int)[kept]
    places = [rest[at == place] for place in np.unique(at)]
    share, p = _explained([np.clip(each / spread, -CLIPPED_SDS, CLIPPED_SDS) for each in places])
    if not (share >= PLACE_SHARE and p <= P_VALUE):  # NaN where nothing differs
        return None
    profile = [float(np.median(each)) for each in places]
    low, high = np.percentile(profile, SWING_PERCENTILES)
    swing = float(high - low)
    num_epochs = len(losses) // lag
    levels = losses[: num_epochs * lag].reshape(num_epochs, lag).mean(1)
    step = float(np.median(np.abs(np.diff(levels[1:])))) if num_epochs > 2 else 0.0
    start = abs(float(np.median(losses[:3])))
    if swing <= max(OVER_STEP * step, RELEVANT_SHARE * start):
        return None
    return _Cycle(share, p, swing, len(places))


def _explained(places: Sequence[Array]) -> tuple[float, float]:
    """Which share of the scatter lies between the places, and p of "none"; NaN without any."""
    from scipy.stats import f as f_distribution  # half a second of imports

    values = np.concatenate(places)
    between = sum(len(each) * float(each.mean() - values.mean()) ** 2 for each in places)
    within = sum(float(((each - each.mean()) ** 2).sum()) for each in places)
    count, freedom = len(values) / len(places), (len(places) - 1, len(values) - len(places))
    if min(freedom) < 1 or not between + within > 0:
        return math.nan, math.nan
    between, within = between / freedom[0], within / freedom[1]
    share = (between - within) / (between + (count - 1) * within)
    return share, float(f_distribution.sf(between / max(within, 1e-300), *freedom))
