"""One trial's gradient norms, reduced once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from recipes.curve import FIRST_GRADIENT, LAST_GRADIENT, STALE_GRADIENT
from recipes.features import LARGEST_FINITE, finite_prefix
from recipes.step import TrialResult
from recipes.trend import Array, running_median

LEAST_SAMPLES = 5
"""Sampled iterations a median is taken over at least (notes on diagnosis, row 22)."""

MEDIAN_WINDOW = 21
"""Sampled iterations of the running median that leaps are measured by (section 4)."""

LEAST_NORM = 1 / LARGEST_FINITE
"""Of a gradient that others are divided by; a smaller one is none, and its ratio no number."""

FLOOR_SHARE = 0.1
"""A leap counts from this share of the first samples' median, if the running one is lower: a
model that has learned, or died, has hardly any gradient, and any is many times that (ours)."""


@dataclass(frozen=True, eq=False)
class GradientSeries:
    """Norms of the gradient at sampled iterations, before clipping.

    Attributes:
        total: Of the whole gradient, float64 (G,), up to the first that is not finite.
        is_finite: Whether that was all of it.
        first: Median of the first weight tensor's; NaN from fewer than five.
        last: Of the last one's.
        stale_share: Share of sampled iterations after the first that began with gradients
            of an earlier one; NaN when nothing was sampled.
    """

    total: Array = field(default_factory=lambda: np.empty(0))
    is_finite: bool = True
    first: float = math.nan
    last: float = math.nan
    stale_share: float = math.nan

    @property
    def first_over_last(self) -> float:
        """The first tensor's median norm over the last one's; NaN when unknown."""
        return self.first / self.last if self.last >= LEAST_NORM else math.nan

    @cached_property
    def largest_leap(self) -> float:
        """The largest norm over the running median there, or over a tenth of the first norms;
        NaN when too little was sampled."""
        if len(self.total) < LEAST_SAMPLES:
            return math.nan
        floor = FLOOR_SHARE * float(np.median(self.total[:LEAST_SAMPLES]))
        course = np.maximum(running_median(self.total, MEDIAN_WINDOW), floor)
        known = course >= LEAST_NORM
        return float(np.max(self.total[known] / course[known])) if known.any() else math.nan


def gradient_series(trial: TrialResult) -> GradientSeries:
    """Reduce a trial's curves of gradient norms."""
    total = trial.curve("gradient_norm")
    finite = finite_prefix(total.values)
    later = sum(iteration > 0 for iteration in total.iterations)
    stale = sum(iteration > 0 for iteration in trial.curve(STALE_GRADIENT).iterations)
    return GradientSeries(
        total=finite,
        is_finite=len(finite) == len(total.values),
        first=_median(trial, FIRST_GRADIENT),
        last=_median(trial, LAST_GRADIENT),
        stale_share=stale / later if later else math.nan,
    )


def _median(trial: TrialResult, curve: str) -> float:
    values = np.asarray(trial.curve(curve).values, dtype=np.float64)
    known = values[np.abs(values) <= LARGEST_FINITE]
    return float(np.median(known)) if len(known) >= LEAST_SAMPLES else math.nan
