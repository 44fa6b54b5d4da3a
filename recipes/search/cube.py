"""Settings as points of the unit cube, one coordinate a hyperparameter.

A logarithmic range is uniform in its logarithm. Where 0 is one of its values too
(``zero=True``), it is an atom: the lowest eighth of the coordinate (method.md, step 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from recipes.space import Categorical, Float, Int, ParameterValue, SearchSpace

ZERO_SHARE = 1 / 8
"""Share of the coordinate that stands for exactly 0."""

DIGITS = 4
"""Significant digits of a proposed float: more would not be read, nor matter."""


def to_params(space: SearchSpace, point: Sequence[float]) -> dict[str, ParameterValue]:
    """The setting at a point.

    Args:
        space: The names and their ranges.
        point: One coordinate in [0, 1] for every name, in the space's order.
    """
    return {
        name: to_value(distribution, coordinate)
        for (name, distribution), coordinate in zip(space.root.items(), point, strict=True)
    }


def to_value(distribution: Float | Int | Categorical, coordinate: float) -> ParameterValue:
    """One hyperparameter's value at a coordinate in [0, 1]."""
    if isinstance(distribution, Categorical):
        count = len(distribution.choices)
        return distribution.choices[min(int(coordinate * count), count - 1)]
    if isinstance(distribution, Float) and distribution.zero:
        if coordinate < ZERO_SHARE:
            return 0.0
        coordinate = (coordinate - ZERO_SHARE) / (1 - ZERO_SHARE)
    low, high = float(distribution.low), float(distribution.high)
    if distribution.log:
        value = math.exp(math.log(low) + coordinate * (math.log(high) - math.log(low)))
    else:
        value = low + coordinate * (high - low)
    if isinstance(distribution, Int):
        return min(max(round(value), distribution.low), distribution.high)
    return min(max(float(f"{value:.{DIGITS}g}"), low), high)


def to_unit(distribution: Float | Int | Categorical, value: ParameterValue) -> float:
    """The coordinate of a value; below 0 or above 1 outside the range."""
    if isinstance(distribution, Categorical):
        if value not in distribution.choices:
            return 0.5
        return (distribution.choices.index(value) + 0.5) / len(distribution.choices)
    number = float(value)
    low, high = float(distribution.low), float(distribution.high)
    has_zero = isinstance(distribution, Float) and distribution.zero
    if has_zero and number == 0:
        return ZERO_SHARE / 2
    if distribution.log:
        tiny = math.nextafter(0.0, 1.0)
        share = math.log(max(number, tiny) / low) / math.log(high / low)
    else:
        share = (number - low) / (high - low)
    return ZERO_SHARE + share * (1 - ZERO_SHARE) if has_zero else share


def is_atom(distribution: Float | Int | Categorical, value: ParameterValue) -> bool:
    """Whether a value is the 0 beside a logarithmic range."""
    return isinstance(distribution, Float) and distribution.zero and value == 0
