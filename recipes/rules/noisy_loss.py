"""A train loss that scatters widely from batch to batch."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.finding import Adjustment, Cause, Finding, Severity
from recipes.rules.registry import Precedence, rule
from recipes.trend import MAD_TO_SD
from recipes.words import number, percent

WINDOW = 21
"""Iterations of the running mean it scatters around. A mean, where spikes are sought around a
median: single samples' losses are skewed, and their median says little of their level."""

NOISY_SHARE = 0.3
"""Scatter over level from which batches are noisy (notes on diagnosis, row 28)."""

WARN_SHARE = 0.5
"""The same for a warning, if the batch alone explains it (ours). The mean over B samples scatters
by their own sd over sqrt(B). An exponential distribution's sd is its mean, and losses of single
samples scatter that much or more: batches of four and fewer reach it. More scatter in larger
batches is that of few hard samples among many easy ones, which no batch size cures."""

LEAST_SAMPLE_SHARE = 1.0
"""Sd of single samples' losses over their mean, so that a batch is as noisy as that (ours)."""

LEAST_POINTS = 100
"""Iterations that must lie in that part."""

LEARNED_SHARE = 0.1
"""Under this share of the initial loss every batch is either right or not: scatter is the
nature of a small loss, not a fault (ours)."""

SOURCE = "CS231n notes, wiggle and batch size; notes on diagnosis, row 28"


@rule("noisy_loss", Precedence.NOISE)
def noisy_loss(evidence: CurveEvidence) -> Finding | None:
    """Batches so small that their mean loss scatters by half of it and more: a warning.

    Else a note where the loss by iteration scatters around its running mean by 0.3 of it while
    there is something to learn.
    """
    if not is_enough("noisy_loss", evidence):
        return None
    return _of_small_batches(evidence) or _scattering(evidence)


def says_little(evidence: CurveEvidence) -> bool:
    """Whether batches are so small that each says little: then gradients leap by nature."""
    noisy = noisy_loss(evidence)
    return noisy is not None and noisy.severity is Severity.WARNING


def _of_small_batches(evidence: CurveEvidence) -> Finding | None:
    """From the scatter of single samples' losses: iterations of a long run are kept thinned."""
    batch = evidence.series.params.get("batch_size")
    if not isinstance(batch, int) or batch < 1 or 1 / math.sqrt(batch) < WARN_SHARE:
        return None
    loss = evidence.train_loss
    means, errors = loss.trained, loss.standard_errors[1:]
    sds = errors * math.sqrt(loss.n)
    known = np.isfinite(sds) & (means > 0)
    if not known.any():
        return None
    sample_share = float(np.median(sds[known] / means[known]))
    if not sample_share >= LEAST_SAMPLE_SHARE:
        return None
    level, sd = float(np.median(means[known])), float(np.median(sds[known]))
    return _finding(
        Severity.WARNING,
        f"{_size(batch)}: single samples' train losses scatter by {number(sd, 2)} (sd) around "
        f"{number(level)}, so a batch's loss scatters by "
        f"{percent(sample_share / math.sqrt(batch))} of its level where {percent(WARN_SHARE)} "
        "count, and says little about the whole.",
        {
            "sd": sd / math.sqrt(batch),
            "level": level,
            "batch_size": batch,
            "threshold": WARN_SHARE,
        },
    )


def _size(batch: int) -> str:
    return "Batches hold one sample" if batch == 1 else f"Batches hold {batch} samples"


def _scattering(evidence: CurveEvidence) -> Finding | None:
    """From the loss by iteration."""
    losses = evidence.series.losses
    start = float(np.mean(losses[:WINDOW]))
    course = np.convolve(losses, np.full(WINDOW, 1 / WINDOW), mode="same")
    inside = slice(WINDOW // 2, len(losses) - WINDOW // 2)  # the mean is whole there
    losses, course = losses[inside], course[inside]
    learning = course > LEARNED_SHARE * start
    if not start > 0 or int(learning.sum()) < LEAST_POINTS:
        return None
    level = float(np.median(course[learning]))
    spread = float(np.median(np.abs(losses - course)[learning] / course[learning])) * MAD_TO_SD
    spread *= level
    if not spread > NOISY_SHARE * level:
        return None
    batch = evidence.series.params.get("batch_size", evidence.description.default_batch_size)
    return _finding(
        Severity.INFO,
        f"The train loss scatters by {number(spread, 2)} (sd) from batch to batch around "
        f"{number(level)}, {percent(spread / level)} of it where {percent(NOISY_SHARE)} count: a "
        f"batch of {batch} says little about the whole.",
        {"sd": spread, "level": level, "batch_size": batch, "threshold": NOISY_SHARE},
    )


def _finding(
    severity: Severity, sentence: str, numbers: Mapping[str, float | str | None]
) -> Finding:
    is_sure = severity is Severity.WARNING
    return Finding(
        code="noisy_loss",
        severity=severity,
        confidence=0.8 if is_sure else 0.6,
        sentence=sentence,
        evidence={**numbers},
        causes=(
            Cause(
                code="small_batch",
                sentence="The batch is small.",
                confidence=0.8 if is_sure else 0.6,
            ),
            Cause(
                code="mixed_samples",
                sentence="Samples differ widely in difficulty.",
                confidence=0.4,
            ),
        ),
        action="Batches two to four times as large, the learning rate times 1.4 to 2 with them. "
        "Cheapest experiment: one epoch so.",
        changes=(
            Adjustment(name="batch_size", factor=4.0),
            Adjustment(name="lr", factor=2.0),
        ),
        source=SOURCE,
    )
