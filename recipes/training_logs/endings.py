"""How a run ended, as far as its log tells."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from recipes.trend import Array
from recipes.trial import TrialCause, TrialState

DIVERGED = 3.0
"""The recipe's factor: a loss above three times its first one has exploded (method.md, step 4)."""

LASTING = 3
"""Last values whose median must lie there: single spikes recover (notes on diagnosis, 4)."""


def ending(
    curves: Mapping[tuple[str, str], Array],
    losses: Array,
    labels: Array,
    num_epochs: int | None,
    unit: str,
    notes: list[str],
) -> tuple[TrialState, TrialCause | None]:
    """State and cause.

    Args:
        curves: On common places.
        losses: Train loss by iteration.
        labels: Places of the evaluations.
        num_epochs: How many the log announced, if it did.
        unit: What places are.
        notes: What is worth telling is added here.
    """
    last = float(labels[-1]) if len(labels) else math.nan
    is_cut_off = num_epochs is not None and unit == "epoch" and last < num_epochs - 1
    if is_cut_off:
        notes.append(f"the log announces {num_epochs} epochs and ends at {last:g}: cut off")
    for series in (losses, curves.get(("loss", "train"), np.empty(0))):
        bad = np.flatnonzero(~np.isfinite(series))
        if len(bad) and len(bad) < len(series) and not np.isfinite(series[bad[0] :]).any():
            return TrialState.COMPLETE, TrialCause.NON_FINITE
        if len(series) > 1 and len(bad) == len(series) and _has_numbers(curves):
            return TrialState.COMPLETE, TrialCause.NON_FINITE
        if _has_exploded(series):
            return TrialState.COMPLETE, TrialCause.DIVERGED
    val = curves.get(("loss", "val"), np.empty(0))
    if len(val) and not math.isfinite(val[-1]):
        notes.append("the validation loss ends as NaN or infinity while the train loss does not")
    if is_cut_off:
        return TrialState.RUNNING, None
    return TrialState.COMPLETE, TrialCause.FINISHED


def _has_numbers(curves: Mapping[tuple[str, str], Array]) -> bool:
    """Whether anything was measured at all: a file of NaNs alone may mean "not measured"."""
    return any(bool(np.isfinite(series).any()) for series in curves.values())


def _has_exploded(series: Array) -> bool:
    if len(series) < 2 * LASTING or not np.isfinite(series).all():
        return False
    first = float(series[:2].max())
    return first > 0 and float(np.median(series[-LASTING:])) > DIVERGED * first
