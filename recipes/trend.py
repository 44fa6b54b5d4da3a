"""Statistics of short series: smoothing, trend, noise, and where a line bends.

A series is float64 (K,), one value an epoch or a block of iterations, all finite.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MEDIAN_WINDOW = 5
"""Epochs a decision's centred median looks at (notes on diagnosis, section 4)."""

MIN_TREND_POINTS = 5
"""Fewest points a trend is read from: at 5 a slope of 0.4 noise-sd is found one time in five
(notes on diagnosis, 5.2); with fewer, hardly ever."""

ONE_SIDED_LEVEL = 0.05
STRICT_LEVEL = 0.01
"""One-sided error rates of a trend; the strict one under visible autocorrelation, which lets
any trend test raise three times as many false alarms (notes on diagnosis, section 4, 5.2)."""

VISIBLE_AUTOCORRELATION = 0.2
"""Lag-1 autocorrelation of the residuals from which on the strict level holds (section 4)."""

MAD_TO_SD = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""

SLOW_RATES = np.geomspace(0.5, 50.0, 40)
"""Decays tried for an exponential, in e-folds over the whole series."""


def running_median(series: Array, window: int = MEDIAN_WINDOW) -> Array:
    """The centred running median; at the ends the window is cut off, not padded."""
    half, size = window // 2, len(series)
    medians = np.empty(size)
    if size >= window:
        windows = np.lib.stride_tricks.sliding_window_view(series, 2 * half + 1)
        medians[half : size - half] = np.median(windows, axis=1)
    ends = range(size) if size < window else [*range(half), *range(size - half, size)]
    for at in ends:
        medians[at] = statistics.median(series[max(0, at - half) : at + half + 1].tolist())
    return medians


def median(values: Array) -> float:
    """The median of finite values, of which there is one at least; a fifth of the time that
    ``numpy.median`` takes for a short series, which mostly guards against other input."""
    ordered = np.sort(values)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[half])
    return float(ordered[half - 1]) / 2 + float(ordered[half]) / 2


def robust_sd(residuals: Array) -> float:
    """Standard deviation by the median absolute deviation; 0 below two values."""
    if len(residuals) < 2:
        return 0.0
    return MAD_TO_SD * median(np.abs(residuals - median(residuals)))


def noise_sd(series: Array) -> float:
    """Standard deviation around a smooth course, in the series' own unit.

    The smaller of two robust estimates: around the Theil-Sen line, which a bend inflates,
    and from second differences (their variance is six times the noise's), which zigzag
    inflates. 0 below five values: nothing is known.
    """
    if len(series) < MIN_TREND_POINTS:
        return 0.0
    from_differences = robust_sd(np.diff(series, 2)) / math.sqrt(6.0)
    return min(robust_sd(_residuals(series)), from_differences)


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """Theil-Sen slope with its interval, and Mann-Kendall's p (Kendall's tau against time).

    Attributes:
        slope: A point.
        low: Lower end of the slope's interval at the one-sided level that holds.
        high: Its upper end.
        series: What it was read from.
    """

    slope: float
    low: float
    high: float
    series: Array

    @property
    def num_points(self) -> int:
        """It was read from."""
        return len(self.series)

    @property
    def p_rising(self) -> float:
        """p of "does not rise"; worked out when asked for, which few rules do."""
        if np.ptp(self.series) == 0:
            return 1.0
        from scipy.stats import kendalltau  # half a second of imports

        times = np.arange(len(self.series), dtype=np.float64)
        return float(kendalltau(times, self.series, alternative="greater").pvalue)

    @property
    def rises(self) -> bool:
        """The whole interval lies above zero."""
        return self.low > 0

    @property
    def falls(self) -> bool:
        """The whole interval lies below zero."""
        return self.high < 0


def trend(series: Array) -> Trend | None:
    """The series' trend; None below ``MIN_TREND_POINTS`` points."""
    if len(series) < MIN_TREND_POINTS:
        return None
    if np.ptp(series) == 0:
        return Trend(0.0, 0.0, 0.0, series)
    from scipy.stats import theilslopes  # half a second of imports

    level = ONE_SIDED_LEVEL
    if _autocorrelation(_residuals(series)) > VISIBLE_AUTOCORRELATION:
        level = STRICT_LEVEL
    times = np.arange(len(series), dtype=np.float64)
    slope, _, low, high = theilslopes(series, times, alpha=1 - 2 * level)
    return Trend(float(slope), float(low), float(high), series)


def _residuals(series: Array) -> Array:
    """What is left of a series when its Theil-Sen line is taken out."""
    times = np.arange(len(series), dtype=np.float64)
    first, second = np.triu_indices(len(series), 1)
    slopes = (series[second] - series[first]) / (times[second] - times[first])
    detrended: Array = series - median(slopes) * times
    return detrended - median(detrended)


def _autocorrelation(residuals: Array) -> float:
    """Lag-1 autocorrelation of residuals; 0 where they do not vary."""
    total = float(residuals @ residuals)
    return float(residuals[1:] @ residuals[:-1]) / total if total > 0 else 0.0


def is_flat(series: Array, *, share: float) -> bool:
    """Whether a series stands still: its trend carries it no further than noise or ``share``.

    The Theil-Sen slope times the length must stay below the noise's sd, or below ``share``
    of the level; in the first case zero must lie in the slope's interval too (notes on
    diagnosis, section 4, plateau). False where no trend can be read.
    """
    line = trend(series)
    if line is None:
        return False
    change = abs(line.slope) * len(series)
    if change <= share * abs(float(np.median(series))):
        return True
    return change < robust_sd(_residuals(series)) and not (line.rises or line.falls)


@dataclass(frozen=True, slots=True)
class Bend:
    """The best two straight pieces of a series.

    Attributes:
        at: Index where the second piece begins.
        slope_before: A point.
        level_before: Mean of the first piece.
        slope_after: A point.
    """

    at: int
    slope_before: float
    level_before: float
    slope_after: float


def bend(series: Array) -> Bend | None:
    """Two lines with the least squared error, each of three points or more; None below six.

    All breaks are tried: sums over both pieces come from cumulative sums, so the cost is
    linear in the length.
    """
    size = len(series)
    if size < 6:
        return None
    # The middle of the series as origin, and its spread as unit, keep the sums exact.
    scale = max(float(np.ptp(series)), 1e-300)
    values = (series - float(np.median(series))) / scale
    breaks = np.arange(3, size - 2)
    before = _line_errors(values, breaks)
    after = _line_errors(values[::-1], size - breaks)
    at = int(breaks[int(np.argmin(before + after))])
    return Bend(
        at,
        _slope(series[:at]),
        float(np.mean(series[:at])),
        _slope(series[at:]),
    )


def _line_errors(values: Array, counts: NDArray[np.intp]) -> Array:
    """Squared error of the best line through the first ``counts`` values, for each count."""
    times = np.arange(len(values), dtype=np.float64)
    sums = {
        "y": np.cumsum(values)[counts - 1],
        "yy": np.cumsum(values * values)[counts - 1],
        "ty": np.cumsum(times * values)[counts - 1],
    }
    n = counts.astype(np.float64)
    mean_time = (n - 1) / 2
    spread_time = n * (n * n - 1) / 12
    covariance = sums["ty"] - mean_time * sums["y"]
    errors: Array = sums["yy"] - sums["y"] ** 2 / n - covariance**2 / spread_time
    return np.maximum(errors, 0.0)


def _slope(values: Array) -> float:
    times = np.arange(len(values), dtype=np.float64)
    times -= times.mean()
    return float(times @ (values - values.mean()) / (times @ times))


def line_over_exponential(series: Array) -> float:
    """How much better a line describes a fall than an exponential: the difference of AICc.

    Above 0 the line (2 coefficients) is better than c + a exp(-k t), a, k > 0 (3). NaN below
    eight points. Source of the comparison: Burnham & Anderson 2002, section 2.4.
    """
    size = len(series)
    scale = float(np.ptp(series)) if size else 0.0
    if size < 8 or scale == 0:
        return math.nan
    values = (series - float(series.min())) / scale
    times = np.linspace(0.0, 1.0, size)
    line = _aicc(_least_error(values, times[None]), size, 2)
    curves = _least_error(values, np.exp(-SLOW_RATES[:, None] * times), above=0.0)
    return _aicc(curves, size, 3) - line


def _least_error(values: Array, shapes: Array, *, above: float = -math.inf) -> float:
    """Squared error of the best of some shapes, (S, K), each with its best offset and multiple,
    the multiple above a bound."""
    centred = shapes - shapes.mean(axis=1, keepdims=True)
    factors = np.maximum(centred @ values / np.sum(centred**2, axis=1), above)
    rest = values - values.mean() - factors[:, None] * centred
    return float(np.sum(rest**2, axis=1).min())


def _aicc(squared_error: float, size: int, num_coefficients: int) -> float:
    """Akaike's criterion with the small-sample term, normal errors; the sd counts too."""
    k = num_coefficients + 1
    likelihood = size * math.log(max(squared_error, 1e-12) / size)
    return likelihood + 2 * k + 2 * k * (k + 1) / (size - k - 1)


def events(flags: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Runs of True, as (first, one past the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return ((int(a), int(b)) for a, b in list(pairwise(edges))[::2])
