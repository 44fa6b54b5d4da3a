"""From a table to a run: which curves it has, in which unit, over which samples."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from recipes.metric import POINT_METRICS
from recipes.training_logs.columns import Columns, Key, choose
from recipes.training_logs.endings import ending
from recipes.training_logs.errors import LogError
from recipes.training_logs.names import MAXIMISED, Role
from recipes.training_logs.options import LogOptions
from recipes.training_logs.places import MOST, Places, by_place, dense_columns, find_places
from recipes.training_logs.rates import learning_rate
from recipes.training_logs.run import ColumnGuess, Inferred, LoggedRun
from recipes.training_logs.sample_count import half_step, infer_sample_count
from recipes.training_logs.shares import ShareUnit, common_unit, unit_of
from recipes.training_logs.table import Table
from recipes.trend import Array

MAX_POINTS = 2_000
"""Values kept of a curve by iteration, as medians of blocks (as the worker reports them)."""

Curves = dict[Key, dict[float, float]]


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
    at, values = _batches(table, columns, places)
    train_key: Key = ("loss", "train")
    if train_key not in curves and len(values) and ("loss", "val") in curves:
        curves[train_key] = _means(curves[("loss", "val")], columns, table, places)
        notes.append(
            "the train loss of an evaluation is the mean of those printed since the one before"
        )
    if not curves:
        notes.append("there are values by batch alone: nothing can be said by epoch")
    units = _to_shares(curves, columns, table, roles, options, notes)
    labels, aligned = _aligned(curves, notes)
    metric, maximise = _metric(aligned, options)
    num_val, num_val_from = _num_val(aligned, columns, table, options)
    lr, schedule = learning_rate(table, roles, options)
    state, cause = ending(aligned, values, labels, table.num_epochs, places.unit, notes)
    if len(labels) > 1 and places.unit == "epoch" and not _is_each(labels):
        notes.append(
            f"evaluations stand at {labels[0]:g}, {labels[1]:g} ... {labels[-1]:g}: findings name "
            "epochs as the file does, and counts are of evaluations"
        )
    kind = options.kind or _kind(aligned)
    inferred = Inferred(
        format=format,
        place=places.unit,
        num_evaluations=len(labels),
        first=float(labels[0]) if len(labels) else math.nan,
        last=float(labels[-1]) if len(labels) else math.nan,
        columns=_guesses(columns, units, options, roles),
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
    losses, losses_at = _thinned(values, at)
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


def _batches(table: Table, columns: Columns, places: Places) -> tuple[Array, Array]:
    """Iteration and value of the train loss by batch; row numbers where no iteration is told."""
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


def _means(
    val: Mapping[float, float], columns: Columns, table: Table, places: Places
) -> dict[float, float]:
    cells = table.columns[columns.batches[("loss", "train")]]
    ends = np.asarray(sorted(val), dtype=np.float64)
    groups: dict[float, list[float]] = {}
    for at, value in zip(places.of_row, cells, strict=True):
        if value is None or not math.isfinite(at):
            continue
        place = int(np.searchsorted(ends, at))
        if place < len(ends):
            groups.setdefault(float(ends[place]), []).append(value)
    with np.errstate(over="ignore", invalid="ignore"):
        return {at: float(np.mean(group)) for at, group in groups.items()}


def _to_shares(
    curves: Curves,
    columns: Columns,
    table: Table,
    roles: Mapping[str, Role],
    options: LogOptions,
    notes: list[str],
) -> dict[Key, str]:
    """Make accuracies shares, and error rates accuracies; what each was, by curve."""
    told: dict[Key, str] = {}
    found: dict[str, tuple[ShareUnit, float]] = {}
    for key in list(curves):
        metric, split = key
        name = columns.curves.get(key)
        if name is None or metric not in ("accuracy", "error", "balanced_accuracy"):
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


def _aligned(curves: Curves, notes: list[str]) -> tuple[Array, dict[Key, Array]]:
    """The curves on common places: validation's, or training's where there is none."""
    usable = {}
    for key, values in curves.items():
        kept = _without_gaps(values)
        if kept:
            usable[key] = kept
            if len(kept) < len(values):
                notes.append(
                    f"{key[1]} {key[0]} is NaN at {len(values) - len(kept)} places and a number "
                    "after them: there it counts as not measured"
                )
    if not usable:
        return np.empty(0), {}
    leading = [key for key in usable if key[1] == "val"] or list(usable)
    longest = max((usable[key] for key in leading), key=len)
    common = set(longest)
    kept_keys = []
    for key, values in usable.items():
        both = common & set(values)
        if len(both) < MOST * len(longest):
            notes.append(f"{key[1]} {key[0]} stands at other places and was left out")
            continue
        common = both
        kept_keys.append(key)
    if len(common) < len(longest):
        notes.append(
            f"{len(longest) - len(common)} places where one of the curves has no value were left "
            "out"
        )
    at = sorted(common)
    return np.asarray(at, dtype=np.float64), {
        key: np.asarray([usable[key][each] for each in at], dtype=np.float64) for key in kept_keys
    }


def _without_gaps(values: Mapping[float, float]) -> dict[float, float]:
    """Without NaNs that a number follows: what was not measured, for a loss does not recover."""
    order = sorted(values)
    last = max((i for i, at in enumerate(order) if math.isfinite(values[at])), default=-1)
    return {at: values[at] for i, at in enumerate(order) if i > last or not math.isnan(values[at])}


def _metric(curves: Mapping[Key, Array], options: LogOptions) -> tuple[str, bool]:
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


def _kind(curves: Mapping[Key, Array]) -> str:
    names = {metric for metric, _ in curves}
    if "accuracy" in names:
        return "classification"
    return "regression" if names & {"r2", "mse", "rmse", "mae"} else "custom"


def _num_val(
    curves: Mapping[Key, Array], columns: Columns, table: Table, options: LogOptions
) -> tuple[int | None, str]:
    if options.num_val is not None:
        return options.num_val, "you"
    counts = table.sample_counts
    told = counts.get("val", counts.get("test"))
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


def _guesses(
    columns: Columns, units: Mapping[Key, str], options: LogOptions, roles: Mapping[str, Role]
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
                        "by": "you" if name in options.names else by,
                    }
                )
            )
    return tuple(found)


def _is_each(labels: Array) -> bool:
    return bool(np.all(np.diff(labels) == 1))


def _thinned(values: Array, at: Array) -> tuple[Array, tuple[int, ...]]:
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
