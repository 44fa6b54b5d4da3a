"""Accuracies as shares from 0 to 1, however the log gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from recipes.training_logs.errors import LogError

ShareUnit = Literal["fraction", "percent"]

ROUNDING = 1e-6
LARGEST_LEAP = 10.0
"""Times that an accuracy may grow between two rows where it passes 1; more, and the column
changes from fractions to percent on its way, or is at 1 % by itself: nobody can tell (ours)."""

FALL = 0.5
"""Read as a fraction, the smaller value would stand above the larger by more than its inverse:
then it is no fraction but percent near 0 (ours)."""


def unit_of(name: str, values: Sequence[float]) -> ShareUnit:
    """Whether accuracies are fractions or percent.

    Raises:
        LogError: Below 0, above 100, or fractions mixed with percent.
    """
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    if low < -ROUNDING or high > 100 * (1 + ROUNDING):
        raise LogError(
            f"{name} has values from {low:g} to {high:g}, and an accuracy lies in 0 to 1 or in 0 "
            f"to 100 %; name what it is with --map, or leave it out with --map {name}=ignore"
        )
    if high <= 1 + ROUNDING:
        return "fraction"
    leaps = [
        max(a, b) / max(min(a, b), 1e-12)
        for a, b in pairwise(finite)
        if 0 < min(a, b) <= 1 < max(a, b) and max(a, b) >= FALL * 100 * min(a, b)
    ]
    if any(leap > LARGEST_LEAP for leap in leaps):
        raise LogError(
            f"{name} has values up to 1 beside values above it, from {low:g} to {high:g}: "
            "fractions mixed with percent, or percent near 0; say which with --unit"
        )
    return "percent"


def common_unit(units: dict[str, tuple[ShareUnit, float]]) -> str | None:
    """What is odd about columns of which some are fractions and others percent; None: nothing.

    Args:
        units: Unit and largest value by column.
    """
    fractions = {name: high for name, (unit, high) in units.items() if unit == "fraction"}
    percents = {name: high for name, (unit, high) in units.items() if unit == "percent"}
    for name, high in fractions.items():
        for other, most in percents.items():
            if not 1 / 3 <= 100 * high / most <= 3:
                return (
                    f"{other} is in percent (up to {most:g}) and {name} is at most {high:g}: "
                    "fractions, or percent near 0; say which with --unit"
                )
    return None
