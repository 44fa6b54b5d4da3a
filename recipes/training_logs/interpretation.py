"""From a table to a run: which curves it has, in which unit, over which samples."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np

from recipes.training_logs.accuracies import to_shares
from recipes.training_logs.alignment import on_common_places
from recipes.training_logs.batches import batch_losses, means, thinned
from recipes.training_logs.columns import Columns, Key, choose
from recipes.training_logs.endings import ending
from recipes.training_logs.errors import LogError
from recipes.training_logs.judged import judging_metric, kind_of, num_val_of
from recipes.training_logs.names import Role
from recipes.training_logs.options import LogOptions
from recipes.training_logs.places import Places, by_place, dense_columns, find_places
from recipes.training_logs.rates import learning_rate
from recipes.training_logs.run import ColumnGuess, Inferred, LoggedRun
from recipes.training_logs.table import Table
from recipes.trend import Array


def interpret(
    table: Table, roles: Mapping[str, Role], options: LogOptions, *, source: str, format: str
) -> LoggedRun:
    """One run of a table.

    Args:
        table: Of that run alone.
        roles: Of its columns.
        options: What was told.
        source: The file's name, for people.
        format: How the file is written, for people.

    Raises:
        LogError: Two columns could be one curve, units cannot be told, or there is no curve.
    """
    places = find_places(table, roles, rows=options.rows)
    columns = choose(table, roles, dense_columns(table, roles, places))
    if not columns.curves and not columns.batches:
        raise LogError(_no_curve(table))
    notes = [*table.notes, *columns.notes]
    curves = {key: by_place(table.columns[name], places) for key, name in columns.curves.items()}
    _repeats(table, columns, places, notes)
    at, values = batch_losses(table, columns, places)
    curves = {key: curve for key, curve in curves.items() if key in columns.curves}
    train_key: Key = ("loss", "train")
    if train_key not in curves and len(values) and ("loss", "val") in curves:
        curves[train_key] = means(curves[("loss", "val")], columns, table, places)
        notes.append(
            "the train loss of an evaluation is the mean of those printed since the one before"
        )
    if not curves:
        notes.append("there are values by batch alone: nothing can be said by epoch")
    units = to_shares(curves, columns, table, roles, options, notes)
    labels, aligned = on_common_places(curves, notes)
    metric, maximise = judging_metric(aligned, options)
    num_val, num_val_from = num_val_of(aligned, columns, table, roles, options)
    lr, schedule = learning_rate(table, roles, options, len(labels))
    state, cause = ending(aligned, values, labels, table.num_epochs, places.unit, notes)
    if len(labels) > 1 and places.unit == "epoch" and not _is_each(labels):
        notes.append(
            f"evaluations stand at {labels[0]:g}, {labels[1]:g} ... {labels[-1]:g}: findings name "
            "epochs as the file does, and counts are of evaluations"
        )
    kind = options.kind or kind_of(aligned)
    inferred = Inferred(
        format=format,
        place=places.unit,
        num_evaluations=len(labels),
        first=float(labels[0]) if len(labels) else math.nan,
        last=float(labels[-1]) if len(labels) else math.nan,
        columns=_guesses(columns, units, {*options.names, *table.told}, roles),
        left_out=tuple(n for n in table.columns if roles[n].what == "ignored"),
        metric=metric,
        direction="maximize" if maximise else "minimize",
        kind=kind,
        num_val=num_val,
        num_val_from=num_val_from,
        num_train=options.num_train or table.sample_counts.get("train"),
        num_classes=options.num_classes or (2 if kind == "binary" else None),
        lr=lr,
        schedule=schedule,
        train_mode=options.train_mode,
        notes=tuple(dict.fromkeys(notes)),
    )
    order = np.argsort(at, kind="stable")
    at, values = at[order], values[order]
    losses, losses_at = thinned(values, at)
    known = places.iterations[np.isfinite(places.iterations)]
    iterations = int(known.max()) if len(known) else len(values)
    name = table.name or source
    return LoggedRun(
        name, source, labels, aligned, losses, losses_at, iterations, state, cause, inferred
    )


def _no_curve(table: Table) -> str:
    names = ", ".join(list(table.columns)[:8]) or "none"
    return (
        f"no column holds a loss or a metric that is known by its name (columns: {names}); "
        "name one with --map COLUMN=val_loss"
    )


def _repeats(table: Table, columns: Columns, places: Places, notes: list[str]) -> None:
    for name in columns.curves.values():
        given = [
            float(at)
            for at, value in zip(places.of_row, table.columns[name], strict=True)
            if value is not None
        ]
        again = len(given) - len(set(given))
        if again:
            notes.append(f"{name} stands more than once at {again} places: the last one counts")


def _guesses(
    columns: Columns, units: Mapping[Key, str], told: Collection[str], roles: Mapping[str, Role]
) -> tuple[ColumnGuess, ...]:
    found = []
    for per, chosen in (("evaluation", columns.curves), ("batch", columns.batches)):
        for key, name in chosen.items():
            by = "name" if roles[name].split and roles[name].is_clean else "guess"
            found.append(
                ColumnGuess.model_validate(
                    {
                        "column": name,
                        "metric": key[0],
                        "split": key[1],
                        "per": per,
                        "unit": units.get(key, "") if per == "evaluation" else "",
                        "by": "you" if name in told else by,
                    }
                )
            )
    return tuple(found)


def _is_each(labels: Array) -> bool:
    return bool(np.all(np.diff(labels) == 1))
