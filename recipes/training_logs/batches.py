"""The train loss by batch: where it stands, its means, and fewer points of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from recipes.training_logs.columns import Columns
from recipes.training_logs.places import Places
from recipes.training_logs.table import Table
from recipes.trend import Array

MAX_POINTS = 2_000
"""Values kept of a curve by iteration, as medians of blocks (as the worker reports them)."""


def batch_losses(table: Table, columns: Columns, places: Places) -> tuple[Array, Array]:
    """Iteration and value of the train loss by batch; row numbers where no iteration is told.

    Where a run has no curve of validation, its train loss by iteration counts as one by batch,
    and moves in ``columns`` from the curves to the batches.
    """
    name = columns.batches.get(("loss", "train"))
    if name is None:
        if ("loss", "val") in columns.curves or places.unit == "epoch":
            return np.empty(0), np.empty(0)
        name = columns.curves.pop(("loss", "train"), None)
        if name is None:
            return np.empty(0), np.empty(0)
        columns.batches[("loss", "train")] = name
    rows = [row for row, value in enumerate(table.columns[name]) if value is not None]
    values = np.asarray([table.columns[name][row] for row in rows], dtype=np.float64)
    at = places.iterations[rows]
    rises = len(at) > 0 and bool(np.all(np.isfinite(at)) and np.all(np.diff(at) >= 0))
    return (at if rises else np.arange(1.0, len(rows) + 1)), values


def means(
    val: Mapping[float, float], columns: Columns, table: Table, places: Places
) -> dict[float, float]:
    """The mean of the train losses since the evaluation before, at each of validation's places."""
    cells = table.columns[columns.batches[("loss", "train")]]
    ends = np.asarray(sorted(val), dtype=np.float64)
    measured = table.columns[columns.curves[("loss", "val")]]
    groups: dict[float, list[float]] = {}
    passed: set[float] = set()
    for at, value, val_loss in zip(places.of_row, cells, measured, strict=True):
        if val_loss is not None and value is None:
            passed.add(float(at))
        if value is None or not math.isfinite(at):
            continue
        place = int(np.searchsorted(ends, at))
        if places.unit == "iteration" and float(at) in passed:
            place += 1  # printed at the same iteration, and after the evaluation
        if place < len(ends):
            groups.setdefault(float(ends[place]), []).append(value)
    with np.errstate(over="ignore", invalid="ignore"):
        return {at: float(np.mean(group)) for at, group in groups.items()}


def thinned(values: Array, at: Array) -> tuple[Array, tuple[int, ...]]:
    """At most ``MAX_POINTS`` block medians; a block that holds NaN or infinity keeps it, so
    that where a run broke is not smoothed away."""
    if len(values) <= MAX_POINTS:
        return values, tuple(int(each) for each in at)
    size = math.ceil(len(values) / MAX_POINTS)
    starts = range(0, len(values), size)
    blocks = [values[start : start + size] for start in starts]
    medians = [float(np.median(b)) if np.isfinite(b).all() else math.nan for b in blocks]
    ends = tuple(int(at[min(start + size, len(at)) - 1]) for start in starts)
    return np.asarray(medians), ends
