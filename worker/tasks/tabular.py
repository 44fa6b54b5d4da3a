"""Tables: classification or regression from a CSV file, one line a sample."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from recipes import Float, Int, Task
from recipes.space import Params
from recipes.task import SplitName
from recipes.words import plural
from worker.data.columns import Column, Rows, learn_column
from worker.data.csv_file import Table, known_column, read_table
from worker.data.paths import existing_path
from worker.data.stratified import draw_stratified
from worker.data.target_column import KINDS, TargetColumn, TargetKind, learn_target
from worker.describe.errors import task_error

TEST_SEED = 20_200_419
"""Draws the test split that is cut from the file. A constant: studies on it compare."""
MAX_TEST_SHARE = 0.5
"""Less than half of the samples would be left to learn from."""
MAX_INPUTS = 10_000
"""Inputs that the columns may become together; one row then takes 40 kB."""


class Tabular(Task):
    """A multi-layer perceptron over the columns of a table.

    Columns of numbers are standardised, others become an input for each category; mean,
    sd and categories are those of the training rows. Where numbers are missing the mean
    stands in and another input says so; a missing category is one of its own.

    Args:
        path: The CSV file.
        target: Name of the column to predict.
        kind: ``classification``, ``binary`` or ``regression``; left out, the column says it.
        drop: Names of columns to leave out, separated by commas.
        val_path: A CSV file with the validation samples; left out, they are cut from
            ``path``.
        test_path: A CSV file with the test samples.
        test_share: Share of the samples in ``path`` that become the test split where there
            is no ``test_path``; 0: no test split.

    Raises:
        TaskError: A file or an argument does not fit; names file, line, and the cure.
    """

    space = {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
        "hidden": Int(16, 256, log=True),
        "depth": Int(1, 3),
    }

    def __init__(
        self,
        path: str,
        target: str,
        kind: TargetKind | None = None,
        drop: str = "",
        val_path: str | None = None,
        test_path: str | None = None,
        test_share: float = 0.15,
    ) -> None:
        if kind is not None and kind not in KINDS:
            raise task_error(f"kind is {kind!r}", cure=f"give one of {', '.join(KINDS)}")
        if isinstance(test_share, bool) or not (
            isinstance(test_share, (int, float)) and 0 <= test_share <= MAX_TEST_SHARE
        ):
            raise task_error(
                f"test_share is {test_share!r}", cure=f"give a share from 0 to {MAX_TEST_SHARE}"
            )
        self._table = read_table(existing_path("path", path))
        known_column(self._table, str(target), argument="target")
        self._dropped = frozenset(
            known_column(self._table, name.strip(), argument="drop")
            for name in str(drop).split(",")
            if name.strip()
        )
        self._other: dict[SplitName, Table] = {}
        if val_path is not None:
            self._other["val"] = self._matching(val_path, "val_path")
        if test_path is not None:
            self._other["test"] = self._matching(test_path, "test_path")
        whole = learn_target(self._table, str(target), kind)
        self._train_rows, self._test_rows = self._divided(
            whole, 0.0 if test_path is not None else test_share
        )
        self._target = whole.scaled_to(self._table, self._train_rows)
        self.kind = whole.kind
        self.num_classes = len(whole.classes) or None

    def data(self, split: SplitName) -> tuple[Tensor, Tensor] | None:
        """Inputs, float32 (N, num_inputs), and targets of the split's rows."""
        if split == "train":
            return self._encoded(self._table, self._train_rows)
        if split in self._other:
            table = self._other[split]
            return self._encoded(table, range(len(table.lines)))
        if split == "test" and len(self._test_rows):
            return self._encoded(self._table, self._test_rows)
        return None

    def model(self, params: Params) -> nn.Module:
        """A fresh network of ``params["depth"]`` hidden layers of ``params["hidden"]`` units."""
        width = sum(column.num_inputs for column in self._columns)
        layers: list[nn.Module] = []
        for _ in range(int(params["depth"])):
            layers += [nn.Linear(width, int(params["hidden"])), nn.ReLU()]
            width = int(params["hidden"])
        return nn.Sequential(*layers, nn.Linear(width, self._target.num_outputs))

    @cached_property
    def _columns(self) -> tuple[Column, ...]:
        """How each column but the target becomes inputs."""
        names = [
            name
            for name in self._table.columns
            if name != self._target.name and name not in self._dropped
        ]
        if not names:
            raise self._table.error(
                "no column is left to predict from", cure="add columns beside the target"
            )
        columns = tuple(learn_column(self._table, name, self._train_rows) for name in names)
        num_inputs = sum(column.num_inputs for column in columns)
        if num_inputs > MAX_INPUTS:
            raise self._table.error(
                f"{plural(len(names), 'column')} become {num_inputs} inputs, more than"
                f" {MAX_INPUTS}",
                cure="leave some out with --arg drop=name,name",
            )
        return columns

    def _matching(self, path: str, argument: str) -> Table:
        """Another file, which must have the columns of the first one; more do no harm."""
        table = read_table(existing_path(argument, path))
        missing = [
            name
            for name in self._table.columns
            if name not in table.columns and name not in self._dropped
        ]
        if missing:
            raise table.error(
                f"{argument}: there is no column {missing[0]!r}, which {self._table.path} has",
                cure="give all files the same columns, or leave it out with --arg drop=...",
            )
        return table

    def _divided(self, target: TargetColumn, test_share: float) -> tuple[Rows, Rows]:
        """The rows of the file that are for training (and validation), and those for the test."""
        rows = np.arange(len(self._table.lines))
        num = int(len(rows) * test_share)
        if num == 0:
            return rows, rows[:0]
        labels = target.labels(self._table, rows)
        drawn = draw_stratified(labels, len(rows), num, TEST_SEED).numpy()
        return np.setdiff1d(rows, drawn), drawn

    def _encoded(self, table: Table, rows: Rows) -> tuple[Tensor, Tensor]:
        inputs = np.concatenate([column.encode(table, rows) for column in self._columns], axis=1)
        return torch.from_numpy(inputs), self._target.encode(table, rows)
