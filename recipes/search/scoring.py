"""What a trial is worth: its metric on validation at its best epoch, with standard error."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recipes.description import TaskDescription
from recipes.metric import Metric
from recipes.outcome import Evaluation, Moments
from recipes.step import TrialResult
from recipes.trial import TrialCause

NO_VALUE = (TrialCause.DIVERGED, TrialCause.NON_FINITE)
"""A trial that ended so is worth nothing, whatever it had before."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A trial with its value.

    Attributes:
        value: The metric at the best epoch, on its own scale.
        score: The same, higher always better.
        standard_error: From the validation samples.
        n: How many those were.
        epoch: The best epoch, from 1.
        epochs: How many it trained.
    """

    trial: TrialResult
    value: float
    score: float
    standard_error: float
    n: int
    epoch: int
    epochs: int
    evaluation: Evaluation

    @property
    def number(self) -> int:
        """The trial's."""
        return self.trial.number


def score(
    trial: TrialResult, description: TaskDescription, *, up_to: int | None = None
) -> Scored | None:
    """A trial's value, or None when it has none: it diverged, failed or never was evaluated.

    Args:
        trial: Told in epochs, or with one evaluation alone (an average).
        description: Says which metric decides, and its direction.
        up_to: Look at the first epochs only.
    """
    if trial.outcome.cause in NO_VALUE:
        return None
    evaluations = trial.outcome.on("val")
    first = 1 if len(evaluations) > 1 else 0  # before the first iteration nothing was learned
    sign = 1.0 if description.direction == "maximize" else -1.0
    last = None if up_to is None else up_to + 1
    best: tuple[float, int] | None = None
    for epoch, evaluation in enumerate(evaluations[first:last], start=1):
        moments = evaluation.metrics.get(description.metric)
        if moments is None or not math.isfinite(mean := moments.mean):
            continue
        if best is None or sign * mean > best[0]:
            best = (sign * mean, epoch)
    if best is None:
        return None
    highest, epoch = best
    evaluation = evaluations[first + epoch - 1]
    moments = evaluation.metrics[description.metric]
    return Scored(
        trial=trial,
        value=moments.mean,
        score=highest,
        standard_error=error_of(moments, description.metric),
        n=moments.n,
        epoch=epoch,
        epochs=len(evaluations) - first,
        evaluation=evaluation,
    )


def error_of(moments: Moments, metric: str) -> float:
    """The standard error of a metric's mean; above 0 where every sample is right, or none.

    An accuracy of 1 on 40 samples is not known to be exactly 1: there the error is Agresti &
    Coull's (1998), as in the findings.
    """
    error = moments.standard_error
    if error > 0:
        return error
    return Metric(name=metric, maximise=True).error(moments.mean, error, moments.n)


def best_by_epoch(trial: TrialResult, description: TaskDescription) -> dict[int, float]:
    """A trial's score so far by epoch, from its first with a value on; empty without any.

    Args:
        trial: Told in epochs.
        description: Says which metric decides, and its direction.
    """
    if trial.outcome.cause in NO_VALUE:
        return {}
    sign = 1.0 if description.direction == "maximize" else -1.0
    best: dict[int, float] = {}
    so_far = -math.inf
    for epoch, evaluation in enumerate(trial.outcome.on("val")[1:], start=1):
        moments = evaluation.metrics.get(description.metric)
        if moments is not None and math.isfinite(moments.mean):
            so_far = max(so_far, sign * moments.mean)
        if so_far > -math.inf:
            best[epoch] = so_far
    return best


def ranked(
    trials: Iterable[TrialResult], description: TaskDescription, *, up_to: int | None = None
) -> list[Scored]:
    """The trials that have a value, the best first; of equals the first made."""
    found = [score(trial, description, up_to=up_to) for trial in trials]
    return sorted(
        (each for each in found if each is not None), key=lambda each: (-each.score, each.number)
    )


def epochs_done(trial: TrialResult) -> int:
    """Whole epochs a trial has been evaluated after."""
    return max(0, len(trial.outcome.on("val")) - 1)


def paired_standard_error(a: Evaluation, b: Evaluation, metric: str) -> float:
    """Standard error of the difference of two means over the same validation samples.

    From which samples each had right, where both say so: sqrt(b + c - (b - c)^2 / n) / n,
    b and c the samples only one of them had right (the variance behind McNemar's test,
    1947). Else as if the samples were different ones, which overstates it.
    """
    first, second = bits(a), bits(b)
    if metric == "accuracy" and first is not None and second is not None:
        n = min(a.metrics[metric].n, len(first), len(second))
        only_a = int(np.sum(first[:n] & ~second[:n]))
        only_b = int(np.sum(second[:n] & ~first[:n]))
        return math.sqrt(max(0.0, only_a + only_b - (only_a - only_b) ** 2 / n)) / n
    return math.hypot(a.metrics[metric].standard_error, b.metrics[metric].standard_error)


def mean_difference_error(a: Sequence[Scored], b: Sequence[Scored], metric: str) -> float:
    """Standard error, over the validation samples, of the difference of two settings' means.

    Each sample's share of runs that had it right, differenced between the settings: its
    standard deviation over the samples / sqrt(n). Without knowing which were right, that
    of one run of each.
    """
    first = [bits(each.evaluation) for each in a]
    second = [bits(each.evaluation) for each in b]
    known = [each for each in (*first, *second) if each is not None]
    if metric != "accuracy" or len(known) < len(first) + len(second):
        return paired_standard_error(a[0].evaluation, b[0].evaluation, metric)
    n = min(a[0].n, b[0].n)
    shares = [
        np.mean([each[:n] for each in side if each is not None], axis=0)
        for side in (first, second)
    ]
    return float(np.std(shares[0] - shares[1], ddof=1)) / math.sqrt(n) if n > 1 else math.nan


def bits(evaluation: Evaluation) -> NDArray[np.bool_] | None:
    """Which samples were right, padded with False to whole bytes; None when not kept."""
    if evaluation.correct is None:
        return None
    raw = np.frombuffer(base64.b64decode(evaluation.correct), dtype=np.uint8)
    return np.unpackbits(raw).astype(bool)


def mean(values: Sequence[float]) -> float:
    """Mean; NaN of none."""
    return sum(values) / len(values) if values else math.nan


def sd(values: Sequence[float]) -> float:
    """Standard deviation (n - 1); NaN below two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
