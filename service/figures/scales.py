"""Axes: from values to pixels, and where the ticks stand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from service.views.format import number

MAX_DECADES_ABOVE_MEDIAN = 4
"""On a log axis, values this many decades above the median are drawn on its upper edge."""

MAX_RATIO_TO_TYPICAL = 12.0
"""On a linear axis, values above this multiple of the upper quartile are, likewise."""

MAX_SPREADS_BELOW = 12.0
"""Where more is better (an R² may be any negative number): values this many quartile
distances below the lower quartile are drawn on the lower edge."""

HUGE, EPSILON = 1e100, 1e-100
"""Sizes at which an axis stops following, so that its arithmetic stays finite."""


@dataclass(frozen=True, slots=True)
class Scale:
    """One axis: ``low`` and ``high`` in the data's unit, ``start`` and ``end`` in pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value; values beyond an end lie on that end."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def shows(self, value: float) -> bool:
        """Whether a finite value lies on the axis."""
        return self.low <= value <= self.high

    def ticks(self, at_most: int) -> list[tuple[float, str]]:
        """At most ``at_most`` values with their labels, rising."""
        values = self._log_ticks(at_most) if self.log else _linear_ticks(self, at_most)
        return [(value, self._label(value)) for value in values]

    def _log_ticks(self, at_most: int) -> list[float]:
        first = math.ceil(math.log10(self.low) - 1e-9)
        last = math.floor(math.log10(self.high) + 1e-9)
        decades = [10.0**exponent for exponent in range(first, last + 1)]
        if len(decades) < 2:
            base = range(math.floor(math.log10(self.low)), last + 2)
            fine = [digit * 10.0**exponent for exponent in base for digit in (1, 2, 3, 5, 7)]
            fine = [value for value in fine if self.low <= value <= self.high]
            return fine[: at_most + 1] if len(fine) >= 2 else _linear_ticks(self, at_most)
        stride = math.ceil(len(decades) / at_most)
        return decades[::stride]

    def _label(self, value: float) -> str:
        if not self.log:
            return number(float(f"{value:.10g}"))
        exponent = math.log10(value)
        if abs(exponent - round(exponent)) < 1e-9:
            power = round(exponent)
            return str(10**power) if 0 <= power <= 3 else f"1e{power}"
        return number(float(f"{value:.10g}"))


def _linear_ticks(scale: Scale, at_most: int) -> list[float]:
    span = (scale.high - scale.low) / at_most
    magnitude = 10.0 ** math.floor(math.log10(span))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= span * (1 - 1e-9))
    first = math.ceil(scale.low / step - 1e-9)
    last = math.floor(scale.high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def fit(
    values: Iterable[float],
    *,
    log: bool,
    start: float,
    end: float,
    keep: Sequence[float] = (),
    clip: Literal["", "above", "below"] = "",
    from_zero: bool = False,
) -> Scale:
    """An axis that shows the values, with a little air.

    Args:
        values: What is drawn. Non-finite ones, and on a log axis those at or below 0, do
            not shape the axis.
        log: Whether the axis is logarithmic.
        start: Pixel of the low end.
        end: Pixel of the high end.
        keep: Values that must be on the axis in any case (reference lines).
        clip: Beyond which end a few enormous values may lie, so that one exploded run does
            not flatten all others.
        from_zero: Whether a linear axis must hold 0 (bars).
    """

    def fits(value: float) -> bool:
        return (EPSILON <= value <= HUGE) if log else abs(value) <= HUGE

    shown = sorted(filter(fits, values))
    kept = [value for value in keep if fits(value)]
    if not shown and not kept:
        shown = [1e-1, 1e1] if log else [0.0, 1.0]
    elif not shown:
        shown = kept
    low = min(shown[0], *kept) if kept else shown[0]
    high = max(shown[-1], *kept) if kept else shown[-1]
    if clip == "above":
        high = min(high, max([_ceiling(shown, log), *kept]))
    elif clip == "below":
        low = max(low, min([_floor(shown), *kept]))
    low, high = _with_air(low, high, log=log, from_zero=from_zero)
    return Scale(low, high, start, end, log)


def _ceiling(ordered: Sequence[float], log: bool) -> float:
    if log:
        limit = ordered[len(ordered) // 2] * 10.0**MAX_DECADES_ABOVE_MEDIAN
    else:
        quartile = ordered[min(len(ordered) - 1, 3 * len(ordered) // 4)]
        limit = quartile * MAX_RATIO_TO_TYPICAL if quartile > 0 else ordered[-1]
    return max((value for value in ordered if value <= limit), default=ordered[-1])


def _floor(ordered: Sequence[float]) -> float:
    lower, upper = ordered[len(ordered) // 4], ordered[3 * len(ordered) // 4]
    limit = lower - MAX_SPREADS_BELOW * (upper - lower) if upper > lower else ordered[0]
    return min((value for value in ordered if value >= limit), default=ordered[0])


def _with_air(low: float, high: float, *, log: bool, from_zero: bool) -> tuple[float, float]:
    if log:
        if high / low < 1.0 + 1e-9:
            return low / 2, high * 2
        air = (high / low) ** 0.04
        return low / air, high * air
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        half = abs(high) * 0.1 or 1.0
        return low - half, high + half
    air = (high - low) * 0.05
    return (low if low == 0 else low - air), (high if high == 0 else high + air)
