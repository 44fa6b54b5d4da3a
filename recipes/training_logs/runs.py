"""Several runs in one table are told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from recipes.training_logs.errors import LogError
from recipes.training_logs.names import SPLITS, Role, Split, role_of
from recipes.training_logs.table import Table

CHOPPY = 3
"""Rows a stretch of rising epochs must have on average; below, the rows are in no order (ours)."""

FILLED = 0.5
"""Share of the rows that must name a run for a column to tell runs apart (ours)."""


def split_runs(table: Table, roles: Mapping[str, Role]) -> list[Table]:
    """The runs of a table: by a column that names them, then where the epochs begin anew.

    Args:
        table: As read.
        roles: Of its columns and labels.

    Raises:
        LogError: Every epoch stands there several times, and nothing tells the runs apart.
    """
    runs = []
    table = _pivoted(table, roles)
    roles = {**roles, **table.told}
    for part in _by_label(table, roles):
        place = _place_column(part, roles)
        runs += [part] if place is None else _by_restart(part, roles, place)
    return runs


def _place_column(table: Table, roles: Mapping[str, Role]) -> str | None:
    for what in ("epoch", "iteration"):
        for name in table.columns:
            role = roles.get(name) or role_of(name)  # columns may have been pivoted
            if role.what == what and any(v is not None for v in table.columns[name]):
                return name
    return None


def _pivoted(table: Table, roles: Mapping[str, Role]) -> Table:
    """A column that says of which split a row is becomes part of the metrics' names.

    What was told of a metric is true of each of its new columns.
    """
    label = next(
        (
            name
            for name, texts in table.labels.items()
            if roles[name].what == "split" and any(text.lower() in SPLITS for text in texts)
        ),
        None,
    )
    if label is None:
        return table
    texts = table.labels[label]
    columns = {}
    for name, cells in table.columns.items():
        role = roles[name]
        if role.what != "metric" or role.split:
            columns[name] = cells
            continue
        for text in filter(None, dict.fromkeys(texts)):
            own = [v if t == text else None for v, t in zip(cells, texts, strict=True)]
            columns[f"{text} {name}"] = own
            if role != role_of(name):
                split: Split = SPLITS.get(text.lower(), "")
                table.told[f"{text} {name}"] = replace(role, split=split)
    table.columns = columns
    del table.labels[label]
    return table


def _by_label(table: Table, roles: Mapping[str, Role]) -> list[Table]:
    keys: list[tuple[str, Sequence[object]]] = [
        (name, cells) for name, cells in table.labels.items() if roles[name].what == "run"
    ]
    keys += [
        (name, [None if v is None else int(v) if v == v and v.is_integer() else v for v in cells])
        for name, cells in table.columns.items()
        if name in roles and roles[name].what == "run"
    ]
    # A seed told once at the head of a file tells no runs apart.
    keys = [
        (name, cells)
        for name, cells in keys
        if sum(cell not in (None, "") for cell in cells) >= FILLED * table.num_rows
    ]
    if not keys:
        return [table]
    groups: dict[tuple[object, ...], list[int]] = {}
    for row in range(table.num_rows):
        groups.setdefault(tuple(cells[row] for _, cells in keys), []).append(row)
    runs = []
    for values, rows in groups.items():
        texts = [
            str(value) if isinstance(value, str) else f"{name} {value}"
            for (name, _), value in zip(keys, values, strict=True)
            if value not in (None, "")
        ]
        name = ", ".join([*([table.name] if table.name else []), *texts])
        runs.append(table.part(rows, name=name))
    return runs


def _by_restart(table: Table, roles: Mapping[str, Role], place: str) -> list[Table]:
    given = [(row, at) for row, at in enumerate(table.columns[place]) if at is not None]
    stretches: list[list[tuple[int, float]]] = []
    for row, at in given:
        if not stretches or at < stretches[-1][-1][1]:
            stretches.append([])
        stretches[-1].append((row, at))
    places = [at for _, at in given]
    if len(stretches) > 1 and len(given) < CHOPPY * len(stretches):
        return [_in_order(table, given, places, place)]
    runs: list[list[tuple[int, float]]] = []
    notes: list[list[str]] = []
    for stretch in stretches:
        if runs and stretch[0][1] > runs[-1][0][1]:
            redone = {at for _, at in stretch}
            kept = [each for each in runs[-1] if each[1] not in redone]
            again = len(runs[-1]) - len(kept)
            runs[-1] = sorted([*kept, *stretch], key=lambda each: each[1])
            notes[-1].append(
                f"{place} goes back to {stretch[0][1]:g} once"
                + (f": {again} rows that come again later were replaced" if again else "")
            )
        else:
            runs.append(stretch)
            notes.append([])
    parts = []
    for number, (run, said) in enumerate(zip(runs, notes, strict=True), start=1):
        if number < len(runs):
            # What stands behind a run's last measurement may be the next one's heading.
            while len(run) > 1 and not _measures(table, roles, run[-1][0]):
                run.pop()
        rows = _with_blank_rows(table, place, run) if len(runs) == len(stretches) else None
        part = table.part(rows if rows is not None else [row for row, _ in run])
        part.notes += said
        if len(runs) > 1:
            part.name = f"{table.name} run {number}".strip()
            part.notes.append(f"run {number} of {len(runs)}: {place} begins anew")
        parts.append(part)
    return parts


def _measures(table: Table, roles: Mapping[str, Role], row: int) -> bool:
    return any(
        cells[row] is not None and (roles.get(name) or role_of(name)).what == "metric"
        for name, cells in table.columns.items()
    )


def _with_blank_rows(table: Table, place: str, run: list[tuple[int, float]]) -> list[int]:
    """The rows from a run's first to its last, those without a place among them."""
    cells = table.columns[place]
    first, last = run[0][0], run[-1][0]
    while last + 1 < table.num_rows and cells[last + 1] is None:
        last += 1
    return list(range(first, last + 1))


def _in_order(
    table: Table, given: list[tuple[int, float]], places: list[float], place: str
) -> Table:
    if len(set(places)) < len(places):
        raise LogError(
            f"{place} goes up and down and has the same values several times, and no column "
            "tells the runs apart; name the one that does with --map COLUMN=run"
        )
    part = table.part([row for row, _ in sorted(given, key=lambda each: each[1])])
    part.notes.append(f"the rows were out of order and were sorted by {place}")
    return part
