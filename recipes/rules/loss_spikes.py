"""A train loss that leaps up and comes back."""

from __future__ import annotations

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.trend import Array, events, robust_sd, running_median
from recipes.words import number, percent, plural, rate_or

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

SINGLE_SDS = 8.0
LEAST_SINGLE = 3
SINGLE_SHARES = (0.02, 0.2)
"""Single iterations that high above the course, in sds, and as bad as the untrained model's: so
many, and so large a share of all, show batches of other data (ours). A batch of like samples gets
there only when most of them are wrong at once, which a model that has most of them right does
not do by chance; rarer ones are accidents, more are the data itself."""

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
    if start > 0 and (single := _unlike_batches(evidence, losses, course, spread, start)):
        return single
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
        changes=(Adjustment(name="lr", factor=0.5),),
        source=SOURCE,
    )


def _unlike_batches(
    evidence: CurveEvidence, losses: Array, course: Array, spread: float, start: float
) -> Finding | None:
    """Single iterations on which the model does as badly as untrained: batches of other data."""
    above = (losses - course > max(SINGLE_SDS * spread, TALL_SHARE * start)) & (losses >= start)
    found = [(first, last) for first, last in events(above) if last - first < SPIKE_POINTS]
    share = len(found) / len(losses)
    if len(found) < LEAST_SINGLE or not SINGLE_SHARES[0] <= share <= SINGLE_SHARES[1]:
        return None
    typical = float(np.median([losses[first] for first, _ in found]))
    level = float(np.median([course[first] for first, _ in found]))
    return Finding(
        code="loss_spikes",
        severity=Severity.WARNING,
        confidence=0.8,
        sentence=f"On {len(found)} single iterations ({percent(share)} of them) the train loss is "
        f"{number(typical)} where the iterations around have {number(level)}: no better than the "
        f"untrained model's {number(start)}. Some batches are not like the others: mislabelled, "
        "mispaired or of another source.",
        evidence={
            "num_single": len(found),
            "share": share,
            "typical": typical,
            "course": level,
            "sd": spread,
            "threshold": SINGLE_SHARES[0],
        },
        causes=(
            Cause(
                code="rare_batches",
                sentence="Some batches are unlike the others.",
                confidence=0.8,
            ),
            Cause(
                code="lr_near_edge",
                sentence="The learning rate is near the highest that still trains.",
                confidence=0.3,
            ),
        ),
        action="Look at the samples of the batches with the highest losses, and at what is done "
        "to a batch before the model sees it. Cheapest experiment: one epoch that prints them.",
        source=SOURCE,
    )


def _is_tall(losses: Array, course: Array, at: int, start: float) -> bool:
    height = float(losses[at] - course[at])
    return float(losses[at]) > SINGLE_FACTOR * float(course[at]) and height > TALL_SHARE * start
