"""What a run is judged by: its metric, the kind of its task, its validation samples."""

from __future__ import annotations

import math
from collections.abc import Mapping

from recipes.metric import POINT_METRICS
from recipes.training_logs.columns import Columns, Key
from recipes.training_logs.names import MAXIMISED, Role
from recipes.training_logs.options import LogOptions
from recipes.training_logs.sample_count import half_step, infer_sample_count
from recipes.training_logs.table import Table
from recipes.trend import Array


def judging_metric(curves: Mapping[Key, Array], options: LogOptions) -> tuple[str, bool]:
    """What fit is judged by: accuracy or R², else a metric that has a direction, else loss."""
    splits = [key for key in curves if key[1] == "val"] or list(curves)
    names = [metric for metric, _ in splits]
    for name in POINT_METRICS:
        if name in names:
            return name, True
    name = "loss" if "loss" in names or not names else names[0]
    return (
        name,
        name in MAXIMISED if options.direction is None else options.direction == "maximize",
    )


def kind_of(curves: Mapping[Key, Array]) -> str:
    """What was learned, as far as the metrics tell; ``custom`` where they do not."""
    names = {metric for metric, _ in curves}
    if "accuracy" in names:
        return "classification"
    return "regression" if names & {"r2", "mse", "rmse", "mae"} else "custom"


def num_val_of(
    curves: Mapping[Key, Array],
    columns: Columns,
    table: Table,
    roles: Mapping[str, Role],
    options: LogOptions,
) -> tuple[int | None, str]:
    """Validation samples, and where the number is from: told, in the log, or inferred.

    The test samples' number is theirs where the curves are a test column's, and only there.
    """
    if options.num_val is not None:
        return options.num_val, "you"
    counts = table.sample_counts
    measured_on = {roles[name].split for key, name in columns.curves.items() if key[1] == "val"}
    told = counts.get("val")
    if measured_on == {"test"}:
        told = counts.get("test", told)
    if told is not None:
        return told, "log"
    name = columns.curves.get(("accuracy", "val"))
    if name is None or ("accuracy", "val") not in curves:
        return None, ""
    raw = [value for value in table.columns[name] if value is not None and math.isfinite(value)]
    scale = 100.0 if max(raw, default=0.0) > 1 + 1e-6 else 1.0
    shares = [float(each) for each in curves[("accuracy", "val")] if math.isfinite(each)]
    found = infer_sample_count(shares, half_width=half_step(raw) / scale)
    return (None, "") if found is None else (found, "steps")
