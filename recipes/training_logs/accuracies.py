"""Accuracies and error rates of a run, made shares of right answers."""

from __future__ import annotations

import math
from collections.abc import Mapping

from recipes.training_logs.alignment import Curves
from recipes.training_logs.columns import Columns, Key
from recipes.training_logs.errors import LogError
from recipes.training_logs.names import Role
from recipes.training_logs.options import LogOptions
from recipes.training_logs.sample_count import half_step, infer_sample_count
from recipes.training_logs.shares import ShareUnit, common_unit, unit_of
from recipes.training_logs.table import Table

SHARES = ("accuracy", "error", "balanced_accuracy", "top5_accuracy")
"""Metrics that are shares of right or wrong answers."""


def to_shares(
    curves: Curves,
    columns: Columns,
    table: Table,
    roles: Mapping[str, Role],
    options: LogOptions,
    notes: list[str],
) -> dict[Key, str]:
    """Make accuracies shares, and error rates accuracies.

    Args:
        curves: Values by place; changed in place.
        columns: Chosen ones; an error rate's becomes an accuracy's.
        table: Of the run.
        roles: By column.
        options: What was told.
        notes: What is worth telling is added here.

    Returns:
        What each was, by curve: fraction, percent, or an error in either.

    Raises:
        LogError: Values lie outside of 0 to 1 (or 100), or units are mixed.
    """
    told: dict[Key, str] = {}
    found: dict[str, tuple[ShareUnit, float]] = {}
    for key in list(curves):
        metric, split = key
        name = columns.curves.get(key)
        if name is None or metric not in SHARES:
            continue
        values = list(curves[key].values())
        finite = [value for value in values if math.isfinite(value)]
        if metric == "error" and not _is_error_rate(name, finite, table, roles, options):
            notes.append(f"{name} is taken for an error to be made small, not for a rate")
            continue
        unit: ShareUnit = options.unit or (
            "percent" if name in table.percents else unit_of(name, values)
        )
        found[name] = (unit, max(finite, default=0.0))
        scale = 100.0 if unit == "percent" else 1.0
        shares = {at: value / scale for at, value in curves[key].items()}
        told[key] = unit
        if metric == "error":
            if ("accuracy", split) in curves:
                del curves[key]
                continue
            shares = {at: 1.0 - value for at, value in shares.items()}
            del curves[key], told[key]
            columns.curves[("accuracy", split)] = columns.curves.pop(key)
            key = ("accuracy", split)
            told[key] = f"error in {unit if unit == 'percent' else 'fractions'}"
            notes.append(f"{name} is a share of wrong answers: accuracy is what is left")
        if any(math.isfinite(s) and not -1e-6 <= s <= 1 + 1e-6 for s in shares.values()):
            raise LogError(
                f"{name}: values from {min(finite):g} to {max(finite):g} are no accuracies in "
                f"{unit}s; check --unit"
            )
        curves[key] = {at: min(1.0, max(0.0, s)) if s == s else s for at, s in shares.items()}
    if options.unit is None:
        odd = common_unit(found)
        if odd is not None:
            raise LogError(odd)
    return told


def _is_error_rate(
    name: str,
    finite: list[float],
    table: Table,
    roles: Mapping[str, Role],
    options: LogOptions,
) -> bool:
    """Whether an error is a share of wrong answers: by its name, its percent sign, what was
    told of the task, or because it moves in steps of 1/n."""
    if options.kind in ("classification", "binary", "multilabel") or roles[name].is_rate:
        return True
    if name in table.percents or options.unit == "percent":
        return True
    if options.kind is not None or not finite or min(finite) < 0 or max(finite) > 100:
        return False
    scale = 100.0 if max(finite) > 1 else 1.0
    shares = [value / scale for value in finite]
    return infer_sample_count(shares, half_width=half_step(finite) / scale) is not None
