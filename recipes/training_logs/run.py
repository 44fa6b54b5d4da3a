"""One run as it was read: its curves, and everything that was guessed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from recipes.trend import Array
from recipes.trial import TrialCause, TrialState
from recipes.value import Number, Value


class ColumnGuess(Value):
    """What a column was taken for.

    Attributes:
        by: ``you`` where it was told, ``name`` where the column's name says all of it,
            ``guess`` where something was added.
    """

    column: str
    metric: str
    split: Literal["train", "val"]
    per: Literal["evaluation", "batch"]
    unit: Literal["fraction", "percent", "error in fractions", "error in percent", ""] = ""
    by: Literal["you", "name", "guess"] = "name"


class Inferred(Value):
    """What was guessed of a run, all of it overridable.

    Attributes:
        format: Of the file.
        place: What the evaluations are counted by, as the file does.
        first, last: Place of the first and the last evaluation.
        num_val_from: ``you``, ``log`` (the log says so), ``steps`` (the smallest n of which
            every accuracy is a multiple of 1/n; the true one may be a multiple), or empty.
        lr: NaN when unknown; the first of a schedule's.
        schedule: ``unknown`` where nothing tells.
        notes: Everything else, in sentences.
    """

    format: str
    place: Literal["epoch", "iteration", "row"]
    num_evaluations: int
    first: Number
    last: Number
    columns: tuple[ColumnGuess, ...]
    left_out: tuple[str, ...] = ()
    metric: str
    direction: Literal["maximize", "minimize"]
    kind: str
    num_val: int | None
    num_val_from: Literal["you", "log", "steps", ""]
    num_train: int | None
    num_classes: int | None
    lr: Number
    schedule: Literal["constant", "decayed", "unknown"]
    train_mode: Literal["train", "eval"]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class LoggedRun:
    """One run.

    Attributes:
        labels: Place of each evaluation as the file counts, float64 (E,).
        curves: By (metric, split), float64 (E,): accuracies as shares, NaN and infinities
            where the log has them.
        losses: Train loss by iteration in order, thinned; empty when there is none.
        losses_at: Their iterations.
    """

    name: str
    source: str
    labels: Array
    curves: Mapping[tuple[str, str], Array]
    losses: Array
    losses_at: tuple[int, ...]
    iterations: int
    state: TrialState
    cause: TrialCause | None
    inferred: Inferred
