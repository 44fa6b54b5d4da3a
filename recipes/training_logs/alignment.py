"""The curves of a run on common places."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from recipes.training_logs.columns import Key
from recipes.training_logs.places import MOST
from recipes.trend import Array

Curves = dict[Key, dict[float, float]]
"""Values by place, by (metric, split)."""


def on_common_places(curves: Curves, notes: list[str]) -> tuple[Array, dict[Key, Array]]:
    """The curves on common places: validation's, or training's where there is none.

    Args:
        curves: Values by place.
        notes: What was left out is added here.

    Returns:
        The places, float64 (E,), and the curves by (metric, split), float64 (E,) each.
    """
    usable = {}
    for key, values in curves.items():
        kept = _without_gaps(values)
        if kept:
            usable[key] = kept
            if len(kept) < len(values):
                notes.append(
                    f"{key[1]} {key[0]} is NaN at {len(values) - len(kept)} places and a number "
                    "after them: there it counts as not measured"
                )
    if not usable:
        return np.empty(0), {}
    leading = [key for key in usable if key[1] == "val"] or list(usable)
    longest = max((usable[key] for key in leading), key=len)
    common = set(longest)
    kept_keys = []
    for key, values in usable.items():
        both = common & set(values)
        if len(both) < MOST * len(longest):
            notes.append(f"{key[1]} {key[0]} stands at other places and was left out")
            continue
        common = both
        kept_keys.append(key)
    if len(common) < len(longest):
        told = set().union(*(usable[key] for key in kept_keys))
        notes.append(
            f"{len(told) - len(common)} of {len(told)} places were left out: there one of the "
            "curves has no value"
        )
    at = sorted(common)
    return np.asarray(at, dtype=np.float64), {
        key: np.asarray([usable[key][each] for each in at], dtype=np.float64) for key in kept_keys
    }


def _without_gaps(values: Mapping[float, float]) -> dict[float, float]:
    """Without NaNs that a number follows: what was not measured, for a loss does not recover."""
    order = sorted(values)
    last = max((i for i, at in enumerate(order) if math.isfinite(values[at])), default=-1)
    return {at: values[at] for i, at in enumerate(order) if i > last or not math.isnan(values[at])}
