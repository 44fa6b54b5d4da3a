"""Where to search: the coarse box around step 3's interval, wider ones, the fine box."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from recipes.search.cube import is_atom
from recipes.search.relevance import Relevance, Sensitivity
from recipes.search.scoring import Scored
from recipes.space import Categorical, Float, Int, ParameterValue, SearchSpace
from recipes.trainer_settings import limits_of
from recipes.value import LARGEST_NUMBER

MARGIN = math.sqrt(10)
"""Half a decade: what a box in log space gets on both sides."""

LINEAR_MARGIN = 0.15
"""The same for a linear range, as a share of its width."""

DECADE = 10.0
"""What a soft logarithmic range grows by when the best lies at its edge (method.md, step 4)."""

FARTHEST_BELOW_BEST = 100.0
"""Step 3 may find four decades of rates that make the loss fall in a hundred iterations. More
than two below its best one, an epoch is too short for them."""

TOP_SHARE = 0.25
FEWEST_TOP, MOST_TOP = 4, 8
"""The best trials that the fine box must hold."""


def coarse_space(space: SearchSpace, learned: Mapping[str, Any]) -> SearchSpace:
    """The study's space, its learning rates around the interval of step 3.

    Without a step 3 (it was skipped or left out) the space as it is.
    """
    own = space.root.get("lr")
    low, high, best = (learned.get(name) for name in ("lr_low", "lr_high", "lr_best"))
    if not isinstance(own, Float) or low is None or high is None or best is None:
        return space
    bottom = max(low / MARGIN, best / FARTHEST_BELOW_BEST)
    top = learned.get("lr_too_high") or high * MARGIN
    if own.hard:
        bottom, top = max(bottom, own.low), min(top, own.high)
    if not bottom < top:
        return space
    return space.replace(lr=ranged(own, bottom, top))


def widened(distribution: Float | Int, side: str) -> Float | Int | None:
    """A range grown on one side: a decade in log space, else by its own width.

    None where it cannot grow: it is hard, or the values beyond have no meaning (below 0
    for a range that starts at 0 or above, beyond what the trainer takes).
    """
    if distribution.hard:
        return None
    low, high = float(distribution.low), float(distribution.high)
    width = high - low
    if side == "high":
        high = high * DECADE if distribution.log else high + width
    elif distribution.log:
        low = max(1.0, low / DECADE) if isinstance(distribution, Int) else low / DECADE
    else:
        low = max(0.0, low - width) if low >= 0 else low - width
    if (low, high) == (float(distribution.low), float(distribution.high)):
        return None
    return ranged(distribution, low, high)


def within_limits(name: str, wider: Float | Int | None, old: Float | Int) -> Float | Int | None:
    """A grown range cut to what the trainer takes for that name; None when nothing is left."""
    if wider is None:
        return None
    _, below = limits_of(name)
    high = float(wider.high)
    if below is not None and high >= below:
        # Not the limit itself: a momentum of 1 never forgets.
        high = float(old.high) + 0.5 * (below - float(old.high))
    if (float(wider.low), high) == (float(old.low), float(old.high)) or high <= wider.low:
        return None
    return ranged(wider, float(wider.low), high)


def ranged(distribution: Float | Int, low: float, high: float) -> Float | Int:
    """The same distribution over another range. Its default goes where it no longer fits.

    A float's ends are rounded to four digits where that does not move them outward: the end of a
    hard range, or a limit of the trainer's, may lie right there.
    """
    fields: dict[str, Any] = {"log": distribution.log, "hard": distribution.hard}
    if isinstance(distribution, Int):
        # As a float the largest number is one above itself.
        first = min(max(math.floor(low), -LARGEST_NUMBER), LARGEST_NUMBER - 1)
        last = min(max(math.ceil(high), first + 1), LARGEST_NUMBER)
        return Int(first, last, **fields)
    bottom, top = max(float(f"{low:.4g}"), low), min(float(f"{high:.4g}"), high)
    if not bottom < top:  # narrower than the rounding
        bottom, top = low, high
    return Float(bottom, top, zero=distribution.zero, **fields)


def narrowed(
    space: SearchSpace, ranked: Sequence[Scored], relevance: Mapping[str, Relevance]
) -> tuple[SearchSpace, dict[str, ParameterValue]]:
    """The box that holds the best trials, with margin, and what is fixed in it.

    A hyperparameter that did not matter is fixed at the best trial's value, a categorical
    one too when all of the best trials agree on it and it mattered.

    Args:
        space: What was searched.
        ranked: Trials with a value, the best first; at least one.
        relevance: What each name mattered.
    """
    count = min(max(FEWEST_TOP, math.ceil(TOP_SHARE * len(ranked))), MOST_TOP)
    top = ranked[:count]
    box: dict[str, Float | Int | Categorical] = {}
    fixed: dict[str, ParameterValue] = {}
    for name, distribution in space.root.items():
        values = [each.trial.params[name] for each in top]
        is_insensitive = relevance[name].sensitivity is Sensitivity.INSENSITIVE
        if isinstance(distribution, Categorical):
            matters = relevance[name].sensitivity is Sensitivity.MATTERS
            agree = len(top) >= FEWEST_TOP and len(set(values)) == 1
            if is_insensitive or (matters and agree):
                fixed[name] = values[0]
            else:
                box[name] = distribution
        elif is_insensitive:
            fixed[name] = values[0]
        else:
            box[name] = _around(distribution, values)
    return SearchSpace(box), fixed


def _around(distribution: Float | Int, values: Sequence[ParameterValue]) -> Float | Int:
    """The range of some values, with margin."""
    has_zero = any(is_atom(distribution, value) for value in values)
    bottom, top = float(distribution.low), float(distribution.high)
    # The incumbent may lie outside of what was searched: there the nearest end stands for it.
    numbers = [
        min(max(float(value), bottom), top) for value in values if not is_atom(distribution, value)
    ]
    if not numbers:
        return distribution
    low, high = min(numbers), max(numbers)
    if distribution.log:
        low, high = low / MARGIN, high * MARGIN
    else:
        margin = LINEAR_MARGIN * (top - bottom)
        low, high = low - margin, high + margin
    # The margin is for what lies between the trials: it does not leave the searched range.
    around = ranged(distribution, max(low, bottom), min(high, top))
    if isinstance(around, Float) and around.zero and not has_zero:
        around = around.model_copy(update={"zero": False})
    return around
