"""A curve in one line of a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

LEVELS = "▁▂▃▄▅▆▇█"
BROKEN = "×"
WIDTH = 48
"""Characters; with its words beside it a curve fits in 80 columns."""

LONG_RANGE = 100.0
"""Ratio of the largest to the smallest value from which levels are logarithmic."""


def sparkline(values: Sequence[float], *, width: int = WIDTH) -> str:
    """The series as at most ``width`` blocks, means of equal parts; × where it is not finite.

    Logarithmic where all is positive and the range is long, as for a loss that exploded.
    """
    size = max(1, math.ceil(len(values) / width))
    parts = [values[at : at + size] for at in range(0, len(values), size)]
    means = [
        math.fsum(v / len(part) for v in part) if all(map(math.isfinite, part)) else math.nan
        for part in parts
    ]
    finite = [mean for mean in means if math.isfinite(mean)]
    if not finite:
        return BROKEN * len(means)
    low, high = min(finite), max(finite)
    if low > 0 and high / low > LONG_RANGE:
        means = [math.log(mean) if math.isfinite(mean) else mean for mean in means]
        low, high = math.log(low), math.log(high)
    return "".join(
        LEVELS[_level(mean, low, high)] if math.isfinite(mean) else BROKEN for mean in means
    )


def _level(value: float, low: float, high: float) -> int:
    span = high / 2 - low / 2  # halves: the difference of two large numbers may overflow
    if span <= 0:
        return 0
    return min(len(LEVELS) - 1, int(len(LEVELS) * ((value / 2 - low / 2) / span)))
