"""Columns of text as numbers a network can take: what is learned from the training rows."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recipes.words import plural
from worker.data.csv_file import Table

MISSING = frozenset(("", "?", "na", "n/a", "nan", "none", "null"))
"""Cells, in small letters, that say there is no value."""
NUMERIC_SHARE = 0.9
"""A column in which this share of the values are numbers is one of numbers: what is not one
is then a slip, and is pointed at, instead of turning the column into categories."""
MAX_CATEGORIES = 32
"""Categories of a column that get an input of their own; the rarer ones share one."""
MIN_COVERED = 0.5
"""Share of the rows that those must cover: a column of names or identifiers does not, and
would teach a network nothing but its rows."""
ROUNDING = 1e-12
"""Share of their mean up to which an sd comes from rounding alone: float64 has 16 digits."""
NUM_EXAMPLES = 3
"""Values shown in a message."""

Floats = npt.NDArray[np.float32]
Rows = Sequence[int] | npt.NDArray[np.int64]


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers: less the mean, by the sd. A missing value counts as the mean.

    Attributes:
        marks_missing: Whether a second input says, with 1, that the value was missing:
            so where training rows lack some.
    """

    name: str
    mean: float
    sd: float
    marks_missing: bool

    @property
    def num_inputs(self) -> int:
        """How many inputs it becomes."""
        return 1 + self.marks_missing

    def encode(self, table: Table, rows: Rows) -> Floats:
        """The inputs of these rows, float32 (N, num_inputs).

        Raises:
            TaskError: A cell is neither missing nor a finite number.
        """
        values = numbers(table, self.name, rows)
        missing = np.isnan(values)
        inputs = np.where(missing, 0.0, (values - self.mean) / self.sd)
        columns = [inputs, missing] if self.marks_missing else [inputs]
        return np.stack(columns, axis=1).astype(np.float32)


@dataclass(frozen=True)
class CategoryColumn:
    """A column of categories: an input each, 1 where the row has it and 0 elsewhere.

    A missing value is a category like others. One that no training row has is the last
    input, "other", where there is one, and else has all inputs 0.
    """

    name: str
    categories: tuple[str, ...]
    has_other: bool

    @property
    def num_inputs(self) -> int:
        """How many inputs it becomes."""
        return len(self.categories) + self.has_other

    def encode(self, table: Table, rows: Rows) -> Floats:
        """The inputs of these rows, float32 (N, num_inputs)."""
        place = {category: index for index, category in enumerate(self.categories)}
        cells = table.columns[self.name]
        other = len(self.categories) if self.has_other else -1
        places = np.array([place.get(_category(cells[row]), other) for row in rows], dtype=int)
        inputs = np.zeros((len(rows), self.num_inputs), dtype=np.float32)
        known = places >= 0
        inputs[np.flatnonzero(known), places[known]] = 1.0
        return inputs


Column = NumberColumn | CategoryColumn


def learn_column(table: Table, name: str, rows: Rows) -> Column:
    """How a column becomes inputs, from the training rows alone.

    Args:
        table: The training file.
        name: The column.
        rows: The training rows in it.

    Raises:
        TaskError: It holds nothing but missing values, slips among numbers, or names.
    """
    cells = table.columns[name]
    present = [cells[row] for row in rows if not is_missing(cells[row])]
    if not present:
        raise table.error(
            f"column {name!r} has no value in any training row",
            cure=f"leave it out: --arg {shlex.quote(f'drop={name}')}",
        )
    if sum(map(_looks_like_number, present)) >= NUMERIC_SHARE * len(present):
        values = numbers(table, name, rows)
        known = values[~np.isnan(values)]
        sd = 1.0 if is_constant(known) else float(known.std())  # of one value it becomes zeros
        return NumberColumn(name, float(known.mean()), sd, len(known) < len(values))
    counts = Counter(_category(cells[row]) for row in rows)
    common = sorted(counts, key=lambda category: (-counts[category], category))[:MAX_CATEGORIES]
    if sum(counts[category] for category in common) < MIN_COVERED * len(rows):
        raise table.error(
            f"column {name!r} has {plural(len(counts), 'different text')} in"
            f" {plural(len(rows), 'row')}"
            f" ({', '.join(repr(each) for each in common[:NUM_EXAMPLES])}, ...): names, not"
            " categories",
            cure=f"leave it out: --arg {shlex.quote(f'drop={name}')}",
        )
    return CategoryColumn(name, tuple(sorted(common)), has_other=len(counts) > len(common))


def numbers(table: Table, name: str, rows: Rows) -> npt.NDArray[np.float64]:
    """A column's numbers, float64 (N,); NaN where the value is missing.

    Raises:
        TaskError: A cell is neither missing nor a finite number; names line and column.
    """
    cells = table.columns[name]
    values = np.empty(len(rows))
    for index, row in enumerate(rows):
        cell = cells[row]
        value = math.nan if is_missing(cell) else as_number(cell)
        if value is None:
            raise table.error(
                f"column {name!r} holds {cell!r} among numbers",
                cure="write a number with a decimal point, or leave the cell empty",
                row=int(row),
            )
        if math.isinf(value):
            raise table.error(
                f"column {name!r} holds {cell!r}, which is not finite",
                cure="write a finite number, or leave the cell empty",
                row=int(row),
            )
        values[index] = value
    return values


def is_constant(values: npt.NDArray[np.float64]) -> bool:
    """Whether numbers (N,) are one and the same: of 0.1, many times, the sd is 1e-17 and not 0."""
    return bool(values.std() <= ROUNDING * abs(values.mean()))


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return cell.lower() in MISSING


def as_number(cell: str) -> float | None:
    """The number a cell holds; None where it holds none. Python's ``1_000`` is none."""
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return None


def _looks_like_number(cell: str) -> bool:
    return as_number(cell) is not None


def _category(cell: str) -> str:
    return "" if is_missing(cell) else cell
