"""JSON documents and JSON lines: rows, columns, or runs of either."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

from recipes.training_logs.cells import read_cell
from recipes.training_logs.errors import LogError
from recipes.training_logs.names import role_of
from recipes.training_logs.table import Table, table_of_rows
from recipes.words import listing

MAX_DEPTH = 6
"""Objects in one another that are looked into."""

LARGEST = 1e300

_BEGINS_AS_JSON = re.compile(r'(?:\{|\[\s*\{?)\s*"')
"""An object's first key, or a list's first text or object; "[2026-..." is a line of a log."""

Row = dict[str, float | str]


def read_json(text: str, told: Collection[str] = ()) -> list[Table] | None:
    """The tables of a JSON document, or None when it is none.

    Raises:
        LogError: It is JSON, and holds no curve.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    tables = tables_of(document, told)
    if not tables:
        raise LogError(
            "the JSON holds no curve; give a list of rows, or an object of lists such as "
            '{"loss": [...], "val_loss": [...]}'
        )
    return tables


def refuse_broken_json(text: str) -> None:
    """Refuse a text that begins as a JSON document does and breaks off or goes wrong.

    A log may begin with a setting as JSON: then a whole value stands at its head.

    Raises:
        LogError: It is broken JSON; names the line.
    """
    begun = text.lstrip("\ufeff \t\r\n")
    if not _BEGINS_AS_JSON.match(begun):
        return
    try:
        json.JSONDecoder().raw_decode(begun)
    except RecursionError:
        return
    except json.JSONDecodeError as error:
        raise LogError(
            f"the JSON is broken at line {error.lineno}, column {error.colno} "
            f"({error.msg.lower()}), as a file that was cut off is; give the whole of it"
        ) from error


def read_json_lines(text: str, told: Collection[str] = ()) -> list[Table] | None:
    """A table of the lines that are JSON objects (or printed Python dictionaries); None when
    fewer than half of the lines are."""
    rows: list[Row] = []
    broken = filled = 0
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped:
            continue
        filled += 1
        value = _object(stripped[max(stripped.find("{"), 0) :])  # a logger's words before it
        if value is None:
            broken += 1
            continue
        rows.append(_flat(value))
    if not rows or broken > len(rows):
        return None
    rows = [row for row in rows if row]
    if not any(_is_metric(key, told) for row in rows for key in row) and not _is_long(rows):
        return None
    table = _wide(table_of_rows(rows))
    if broken:
        lines = "1 line is" if broken == 1 else f"{broken} lines are"
        table.notes.append(f"{lines} no JSON object and were left out")
    return [table]


def tables_of(
    document: Any, told: Collection[str] = (), name: str = "", depth: int = 0
) -> list[Table]:
    """The tables within a JSON value; empty when there is none."""
    if depth > MAX_DEPTH:
        return []
    if isinstance(document, list):
        rows = [_flat(each) for each in document if isinstance(each, Mapping)]
        if rows and any(_has_metric(row, told) for row in rows):
            return [_wide(table_of_rows(rows, name=name))]
        return [t for each in document for t in tables_of(each, told, name, depth + 1)]
    if not isinstance(document, Mapping):
        return []
    columns = _lists(document)
    if any(_is_metric(key, told) for key in columns):
        return [_of_columns(columns, name, told)]
    if document and all(
        isinstance(each, Mapping) and _has_metric(_flat(each), told) and not _lists(each)
        for each in document.values()
    ):
        rows = []
        for key, each in document.items():
            epoch = read_cell(str(key))
            label: Row = {"epoch": epoch} if isinstance(epoch, float) else {"run": str(key)}
            rows.append({**label, **_flat(each)})
        if all("epoch" in row for row in rows):
            return [table_of_rows(rows, name=name)]
    return [
        table
        for key, each in document.items()
        for table in tables_of(each, told, _joined(name, str(key)), depth + 1)
    ]


CONTAINERS = frozenset(
    {"history", "log_history", "epochs", "rows", "data", "logs", "results", "runs"}
)


def _joined(name: str, key: str) -> str:
    return name if key.lower() in CONTAINERS else f"{name}/{key}".strip("/")


def _is_metric(key: str, told: Collection[str]) -> bool:
    return key in told or role_of(key).what == "metric"


def _has_metric(row: Row, told: Collection[str]) -> bool:
    return any(_is_metric(key, told) and isinstance(row[key], float) for key in row)


def _object(line: str) -> dict[str, Any] | None:
    if not (line.startswith("{") and line.endswith("}")):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        try:
            # Trainers print dictionaries as Python does; this reads literals and runs nothing.
            value = ast.literal_eval(line.replace(": nan", ": 'nan'").replace(": inf", ": 'inf'"))
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return None
    return value if isinstance(value, dict) else None


def _flat(value: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> Row:
    """An object's scalars by path, ``train/loss``; lists are left out."""
    row: Row = {}
    for key, each in value.items():
        path = f"{prefix}{key}"
        if isinstance(each, Mapping) and depth < MAX_DEPTH:
            row.update(_flat(each, f"{path}/", depth + 1))
            continue
        cell = _scalar(each)
        if cell is not None:
            row[path] = cell
    return row


def _scalar(value: Any) -> float | str | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if not isinstance(value, int) or abs(value) < LARGEST else None
    return read_cell(value) if isinstance(value, str) else None


def _lists(value: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> dict[str, list[Any]]:
    """An object's lists of scalars, or of pairs of place and value, by path."""
    found: dict[str, list[Any]] = {}
    for key, each in value.items():
        path = f"{prefix}{key}"
        if isinstance(each, Mapping) and depth < 2:
            found.update(_lists(each, f"{path}/", depth + 1))
        elif isinstance(each, list) and each:
            is_flat = all(isinstance(v, int | float | str | None) for v in each)
            if is_flat or all(isinstance(v, list) and len(v) == 2 for v in each):
                found[path] = each
    # Objects that hold whole runs are no columns of one: {"a": {"loss": ...}, "b": ...}
    if depth == 0 and prefix == "" and not any("/" not in path for path in found):
        tops = {path.split("/")[0] for path in found}
        if not all(role_of(f"{top} loss").split for top in tops):
            return {}
    return found


def _of_columns(columns: Mapping[str, list[Any]], name: str, told: Collection[str]) -> Table:
    """A table of lists; those of another length than the metrics' are kept apart or refused."""
    table = Table(name)
    columns = _unpaired(columns, told, table.notes)
    cells = {key: [_scalar(each) for each in values] for key, values in columns.items()}
    lengths = {key: len(values) for key, values in cells.items()}
    metrics = [key for key in cells if _is_metric(key, told)]
    longest, shortest = max(lengths[k] for k in metrics), min(lengths[k] for k in metrics)
    if longest - shortest > 1:
        told = ", ".join(f"{key} has {lengths[key]:,}" for key in metrics)
        raise LogError(
            f"the curves are of unequal length and nothing says which values belong together "
            f"({told}); give rows with an epoch each, or null where nothing was measured"
        )
    if longest != shortest:
        table.notes.append(
            f"the curves differ in length by one ({longest:,} and {shortest:,}): the last value "
            "of the longer ones was left out"
        )
    for key, values in cells.items():
        if len(values) < shortest:
            table.notes.append(f"{key} has {len(values)} values and was left out")
            continue
        numbers = [each if isinstance(each, float) else None for each in values[:shortest]]
        table.columns[key] = numbers
    return table


def _unpaired(
    columns: Mapping[str, list[Any]], told: Collection[str], notes: list[str]
) -> dict[str, list[Any]]:
    """Lists of pairs of place and value as lists of values and one column ``step`` of all places.

    Values are None where another curve alone stands. Pairs that do not begin with places are
    something else, of a training and a validation value, say: they are left out.

    Raises:
        LogError: No metric is left.
    """
    plain = {key: values for key, values in columns.items() if not isinstance(values[0], list)}
    pairs = {key: _by_place(columns[key]) for key in columns if key not in plain}
    curves = {
        key: by_place
        for key, by_place in pairs.items()
        if by_place is not None and (key in told or role_of(key).what in ("metric", "lr"))
    }
    odd = [key for key, each in pairs.items() if each is None and _is_metric(key, told)]
    if odd:
        cure = (
            f"{listing(odd)}: pairs that do not begin with a place, a whole number that rises; "
            "give a list for each curve"
        )
        if not any(_is_metric(key, told) for key in (*plain, *curves)):
            raise LogError(cure)
        notes.append(f"{listing(odd)} left out: pairs that do not begin with a place")
    if not curves:
        return plain
    places = sorted({place for by_place in curves.values() for place in by_place})
    read = {key: [each.get(place) for place in places] for key, each in curves.items()}
    return {**plain, **read, "step": places}


def _by_place(pairs: list[list[Any]]) -> dict[float, Any] | None:
    """Values by the places they stand at; None where the first numbers are no places."""
    cells = [_scalar(place) for place, _ in pairs]
    places = [cell for cell in cells if isinstance(cell, float) and cell.is_integer()]
    if len(places) < len(pairs) or any(b <= a for a, b in pairwise(places)):
        return None
    return dict(zip(places, (value for _, value in pairs), strict=True))


def _is_long(rows: list[Row]) -> bool:
    return any({"metric", "value"} <= {key.lower() for key in row} for row in rows)


def _wide(table: Table) -> Table:
    """Rows of ``metric`` and ``value`` as a table with a row an epoch; others as they are."""
    naming = ("metric", "tag", "name", "key")
    label = next((key for key in table.labels if key.lower() in naming), None)
    value = next((key for key in table.columns if key.lower() == "value"), None)
    if label is None or value is None:
        return table
    places = [
        key
        for key in table.columns
        if role_of(key).what in ("epoch", "iteration") and key != value
    ]
    rows: dict[tuple[Any, ...], Row] = {}
    others = [key for key in table.labels if key != label]
    for at in range(table.num_rows):
        number = table.columns[value][at]
        if number is None:
            continue
        where = {key: table.columns[key][at] for key in places}
        texts = {key: table.labels[key][at] for key in others}
        row = rows.setdefault((*where.values(), *texts.values()), {})
        row.update({key: each for key, each in where.items() if each is not None})
        row.update(texts)
        row[table.labels[label][at]] = number
    wide = table_of_rows(list(rows.values()), name=table.name)
    wide.notes = [*table.notes, f"rows of {label} and {value} were put together by place"]
    return wide
