"""Where the values of a run stand: by epoch, by iteration, or by row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recipes.training_logs.errors import LogError
from recipes.training_logs.names import Role
from recipes.training_logs.table import Cells, Table
from recipes.trend import Array

Unit = Literal["epoch", "iteration", "row"]

MOST = 0.5
"""Share of places above which something counts as the rule rather than an exception (ours)."""

DENSER = 2.0
"""Times as many values as validation has from which a column is of batches (ours)."""


@dataclass(frozen=True)
class Places:
    """The grid that a run's evaluations stand on.

    Attributes:
        unit: What ``of_row`` counts.
        of_row: Each row's place; NaN where it has none.
        iterations: Each row's iteration, where a column tells; NaN else.
    """

    unit: Unit
    of_row: Array
    iterations: Array


def find_places(table: Table, roles: Mapping[str, Role], *, rows: str | None) -> Places:
    """The grid of one run: its epochs, else its iterations, else its rows.

    Epochs told in fractions (0.25, 0.5) with validation between whole ones, or validated
    several times each, give way to the iterations.

    Raises:
        LogError: Every epoch has several validation rows and there is no iteration.
    """
    epochs = _filled(table, roles, "epoch")
    iterations = _filled(table, roles, "iteration")
    if epochs is not None and rows != "iterations":
        if not _validated_within(table, roles, epochs):
            return Places("epoch", epochs, _or_nan(iterations, table))
        if (
            iterations is None
            and len(np.unique(epochs[np.isfinite(epochs)])) < table.num_rows * MOST
        ):
            raise LogError(
                "most epochs stand there several times with validation, and no column tells why; "
                "if they are several runs, name the column that tells them apart with "
                "--map COLUMN=run"
            )
        if iterations is None:
            return Places("epoch", epochs, _or_nan(None, table))
    if iterations is not None:
        if rows != "iterations" and (rows == "epochs" or _counts_epochs(table, roles, iterations)):
            return Places("epoch", iterations, _or_nan(None, table))
        return Places("iteration", iterations, iterations)
    counted = np.arange(1.0, table.num_rows + 1)
    is_epochs = rows == "epochs" or (rows is None and _validates_each_row(table, roles))
    return Places("epoch" if is_epochs else "row", counted, _or_nan(None, table))


def dense_columns(table: Table, roles: Mapping[str, Role], places: Places) -> frozenset[str]:
    """Columns with several values a place, or far more values than validation has."""
    metrics = [name for name in table.columns if roles[name].what == "metric"]
    given = {name: _given(table.columns[name]) for name in metrics}
    val = [given[name] for name in metrics if roles[name].split in ("val", "test")]
    most_val = max((int(rows.sum()) for rows in val), default=0)
    dense = set()
    for name in metrics:
        own = places.of_row[given[name] & np.isfinite(places.of_row)]
        if not len(own) or roles[name].split in ("val", "test"):
            continue
        _, counts = np.unique(own, return_counts=True)
        repeated = float((counts > 1).mean()) > MOST and places.unit == "epoch"
        is_fractional = places.unit == "epoch" and bool(np.any(own != np.floor(own)))
        denser = (places.unit != "epoch" or is_fractional) and len(own) > DENSER * most_val > 0
        if repeated or denser:
            dense.add(name)
    return frozenset(dense)


def by_place(cells: Cells, places: Places) -> dict[float, float]:
    """A column's value at each place; the last one where it stands there several times."""
    return {
        float(at): value
        for at, value in zip(places.of_row, cells, strict=True)
        if value is not None and math.isfinite(at)
    }


def _given(cells: Cells) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.fromiter((value is not None for value in cells), dtype=np.bool_, count=len(cells))


def _filled(table: Table, roles: Mapping[str, Role], what: str) -> Array | None:
    """A place column, its gaps filled with the value before (else after); None without one."""
    names = [name for name in table.columns if roles[name].what == what]
    if not names:
        return None
    name = max(names, key=lambda each: sum(v is not None for v in table.columns[each]))
    cells = [math.nan if value is None else value for value in table.columns[name]]
    found = np.asarray(cells, dtype=np.float64)
    found[~np.isfinite(found)] = np.nan
    if np.isnan(found).all():
        return None
    at = np.maximum.accumulate(np.where(np.isfinite(found), np.arange(len(found)), -1))
    first = int(np.flatnonzero(np.isfinite(found))[0])
    return found[np.where(at < 0, first, at)]


def _or_nan(values: Array | None, table: Table) -> Array:
    return np.full(table.num_rows, np.nan) if values is None else values


def _validates_each_row(table: Table, roles: Mapping[str, Role]) -> bool:
    """Whether most rows hold validation, so that a row is an epoch (Keras's history)."""
    return any(
        role.what == "metric"
        and role.split in ("val", "test")
        and name in table.columns
        and float(_given(table.columns[name]).mean()) > MOST
        for name, role in roles.items()
    )


def _counts_epochs(table: Table, roles: Mapping[str, Role], iterations: Array) -> bool:
    """Whether validation stands at each of 0, 1, 2...: nobody validates after every iteration."""
    for name, cells in table.columns.items():
        if roles[name].what == "metric" and roles[name].split in ("val", "test"):
            own = iterations[_given(cells)]
            if len(own) > 1 and own[0] in (0, 1) and bool(np.all(np.diff(own) == 1)):
                return True
    return False


def _validated_within(table: Table, roles: Mapping[str, Role], epochs: Array) -> bool:
    """Whether validation stands more than once an epoch, or between whole epochs."""
    for name, cells in table.columns.items():
        if roles[name].what == "metric" and roles[name].split in ("val", "test"):
            own = epochs[_given(cells)]
            if not len(own):
                continue
            _, counts = np.unique(own, return_counts=True)
            if float((counts > 1).mean()) > MOST or np.any(own != np.floor(own)):
                return True
    return False
