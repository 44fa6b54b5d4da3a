"""A train loss that leaps up and comes back."""

from __future__ import annotations

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.trend import Array, events, robust_sd, running_median
from recipes.words import number, plural, rate_or

WINDOW = 21
"""Iterations of the running median the spikes stand out from (notes on diagnosis, section 4)."""

SPIKE_SDS = 6.0
"""Robust sds of the loss around it (row 15)."""

PER_EPOCH = 3.0
"""Spikes an epoch from which they are a fault (row 15)."""

SINGLE_FACTOR = 2.0
"""One spike above this many times the course is worth a note (row 15)."""

VISIBLE_SHARE = 0.10
TALL_SHARE = 0.5
"""Height of a spike, and of a single noted one, as a share of the untrained model's loss: when
almost all is right, one wrong sample in a batch already multiplies a tiny loss (ours)."""

SPIKE_POINTS = 2
"""Points in a row a spike takes: one batch of hard samples is no instability, the iterations
after it must show it too (ours)."""

SETTLED_PART = 0.1
"""Share of the iterations left out at the start, where the loss falls too fast."""

SOURCE = "Deep Learning Tuning Playbook, instabilities; notes on diagnosis, row 15"


@rule("loss_spikes", Precedence.NOISE)
def loss_spikes(evidence: CurveEvidence) -> Finding | None:
    """Leaps over the running median by six sds, three an epoch or one twice as high."""
    if not is_enough("loss_spikes", evidence) or not evidence.epochs:
        return None
    losses = evidence.series.losses[round(SETTLED_PART * len(evidence.series.losses)) :]
    course = running_median(losses, WINDOW)
    spread = robust_sd(losses - course)
    start = float(np.median(evidence.series.losses[:3]))
    heights = losses - course
    above = heights > max(SPIKE_SDS * spread, VISIBLE_SHARE * abs(start))
    found = [(first, last) for first, last in events(above) if last - first >= SPIKE_POINTS]
    if not found or start <= 0:
        return None
    per_epoch = len(found) / (evidence.epochs * (1 - SETTLED_PART))
    tallest = max(
        (first + int(np.argmax(heights[first:last])) for first, last in found),
        key=lambda at: float(heights[at]),
    )
    is_frequent = per_epoch >= PER_EPOCH
    if not is_frequent and not _is_tall(losses, course, tallest, start):
        return None
    lr = evidence.series.lr
    return Finding(
        code="loss_spikes",
        severity=Severity.WARNING if is_frequent else Severity.INFO,
        confidence=0.7,
        sentence=f"The train loss leapt up {plural(len(found), 'time')} and came back, "
        f"{number(per_epoch, 2)} times an epoch ({number(PER_EPOCH)} count), at most from "
        f"{number(float(course[tallest]))} to {number(float(losses[tallest]))} "
        f"({number(spread, 2)} is its usual scatter): training is near the edge of stability.",
        evidence={
            "num_spikes": len(found),
            "per_epoch": per_epoch,
            "tallest": float(losses[tallest]),
            "course": float(course[tallest]),
            "sd": spread,
            "lr": lr,
            "threshold_sds": SPIKE_SDS,
            "threshold_per_epoch": PER_EPOCH,
        },
        causes=(
            Cause(
                code="lr_near_edge",
                sentence="The learning rate is near the highest that still trains.",
                confidence=0.6,
            ),
            Cause(
                code="rare_batches",
                sentence="Some batches are unlike the others.",
                confidence=0.4,
            ),
        ),
        action="Clip the gradient at the 90th percentile of its norm, or halve the learning rate. "
        f"Cheapest experiment: one epoch at {rate_or(lr / 2, 'half the rate')}.",
        source=SOURCE,
    )


def _is_tall(losses: Array, course: Array, at: int, start: float) -> bool:
    height = float(losses[at] - course[at])
    return float(losses[at]) > SINGLE_FACTOR * float(course[at]) and height > TALL_SHARE * start
