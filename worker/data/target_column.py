"""The column to be predicted: what kind of task it makes, and its values as targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from recipes.words import plural
from worker.data.columns import Rows, as_number, is_constant, is_missing, numbers
from worker.data.csv_file import Table

TargetKind = Literal["classification", "binary", "regression"]
KINDS: tuple[str, ...] = get_args(TargetKind)

MAX_INFERRED_CLASSES = 20
"""Whole numbers with so many different values are taken for classes; with more, for amounts.
UCI's tables of marks and counts have up to about 20, digits and letters of text up to 26."""
MAX_CLASS_SHARE = 0.5
"""More classes than this share of the rows: most have one sample, which nobody can learn."""


@dataclass(frozen=True)
class TargetColumn:
    """How the column's cells become targets.

    Attributes:
        classes: The classes, sorted (by value where all are numbers): the class number is
            the place. Binary: 0 and 1. Empty for regression.
        mean: Of the training rows' values, regression alone.
        sd: Their standard deviation, regression alone.
    """

    name: str
    kind: TargetKind
    classes: tuple[str, ...]
    mean: float = 0.0
    sd: float = 1.0

    @property
    def num_outputs(self) -> int:
        """How many outputs a model of it has."""
        return len(self.classes) if self.kind == "classification" else 1

    def labels(self, table: Table, rows: Rows) -> Tensor | None:
        """Class numbers, int64 (N,); None for regression.

        Raises:
            TaskError: A cell is missing, or a class that the training file does not have.
        """
        if self.kind == "regression":
            return None
        cells = table.columns[self.name]
        place = {label: index for index, label in enumerate(self.classes)}
        for row in rows:
            if _label(cells[row]) not in place:
                _check_present(table, self.name, [row])
                raise table.error(
                    f"column {self.name!r} holds {cells[row]!r}, a class that the training file"
                    " does not have",
                    cure="remove the line, or add samples of that class to the training file",
                    row=int(row),
                )
        return torch.tensor([place[_label(cells[row])] for row in rows])

    def encode(self, table: Table, rows: Rows) -> Tensor:
        """Targets: int64 (N,) for classification, float32 (N, 1) for the others.

        Regression: less the training mean, by the training sd. An output of 0 then has a
        mean square of 1, R² is unchanged, and a squared error is in units of the variance.

        Raises:
            TaskError: A cell is missing, or does not fit; names line and column.
        """
        labels = self.labels(table, rows)
        if labels is not None:
            return labels if self.kind == "classification" else labels.float()[:, None]
        _check_present(table, self.name, rows)
        values = (numbers(table, self.name, rows) - self.mean) / self.sd
        return torch.from_numpy(values.astype(np.float32))[:, None]

    def scaled_to(self, table: Table, rows: Rows) -> TargetColumn:
        """The same, with mean and sd of these rows (the training ones); regression alone.

        Raises:
            TaskError: A cell does not fit, or all hold one value.
        """
        if self.kind != "regression":
            return self
        _check_present(table, self.name, rows)
        values = numbers(table, self.name, rows)
        if is_constant(values):
            raise table.error(
                f"column {self.name!r} holds one value alone, {table.columns[self.name][0]!r}:"
                " there is nothing to predict",
                cure="give another target",
            )
        return TargetColumn(
            self.name, self.kind, self.classes, float(values.mean()), float(values.std())
        )


def learn_target(table: Table, name: str, kind: TargetKind | None) -> TargetColumn:
    """What a column makes: the kind, where none is given, and its classes.

    Two different values make a binary task; texts, and up to 20 different whole numbers, a
    classification; other numbers a regression.

    Args:
        table: The training file.
        name: The column.
        kind: What the user says it is; None: see above.

    Raises:
        TaskError: A cell is missing, or the column does not suit the kind.
    """
    cells = table.columns[name]
    _check_present(table, name, range(len(cells)))
    labels = _sorted_labels(cells)
    kind = kind or _inferred(cells, labels)
    if kind == "regression":
        numbers(table, name, range(len(cells)))
        return TargetColumn(name, kind, ())
    if len(labels) < 2:
        raise table.error(
            f"column {name!r} holds one value alone, {labels[0]!r}: there is nothing to tell"
            " apart",
            cure="give another target, or a file with samples of every class",
        )
    if kind == "binary" and len(labels) != 2:
        raise table.error(
            f"column {name!r} has {len(labels)} different values, and a binary target has two",
            cure="leave the argument `kind` out, or give another target",
        )
    if len(labels) > MAX_CLASS_SHARE * len(cells):
        raise table.error(
            f"column {name!r} has {len(labels)} classes in {plural(len(cells), 'row')}",
            cure="say --arg kind=regression where these are amounts, or give another target",
        )
    return TargetColumn(name, kind, labels)


def _inferred(cells: Sequence[str], labels: Sequence[str]) -> TargetKind:
    if len(labels) == 2:
        return "binary"
    values = [as_number(label) for label in labels]
    if any(value is None for value in values):
        return "classification"
    whole = all(value == round(value) for value in values if value is not None and _small(value))
    few = 2 < len(labels) <= min(MAX_INFERRED_CLASSES, MAX_CLASS_SHARE * len(cells))
    return "classification" if whole and few else "regression"


def _small(value: float) -> bool:
    """Neither infinite, which cannot be rounded, nor beyond."""
    return abs(value) < float("inf")


def _sorted_labels(cells: Sequence[str]) -> tuple[str, ...]:
    labels = {_label(cell) for cell in cells}
    values = {label: as_number(label) for label in labels}
    if any(value is None for value in values.values()):
        return tuple(sorted(labels))
    return tuple(sorted(labels, key=lambda label: (values[label] or 0.0, label)))


def _label(cell: str) -> str:
    """One text for one class: 1 and 1.0 are the same."""
    value = as_number(cell)
    if value is None or value != value or abs(value) == float("inf"):
        return cell
    return str(int(value)) if value == int(value) else str(value)


def _check_present(table: Table, name: str, rows: Rows) -> None:
    cells = table.columns[name]
    for row in rows:
        if is_missing(cells[row]):
            raise table.error(
                f"the target column {name!r} has no value here ({cells[row]!r})",
                cure="fill it in, or remove the line",
                row=int(row),
            )
