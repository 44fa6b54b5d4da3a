"""CSV and its relatives: comma, semicolon, tab, or blanks between columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection

from recipes.training_logs.cells import ESCAPES, is_decimal_comma, read_cell
from recipes.training_logs.names import role_of
from recipes.training_logs.table import Table, table_of_rows

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "blanks"}
LOOKED_AT = 200
"""Lines that the separator is chosen from."""

_RULE = re.compile(r"[-+=|\s]*[-=]{3}[-+=|\s]*")
"""A line that is drawn below a header or around a table."""

LONGEST_NAME = 60
"""Characters of a column's name; more are a sentence."""

Row = list[str]


def find_separator(text: str, told: Collection[str] = ()) -> str | None:
    """The separator of a table whose header names a column that means something; else None.

    A header is a line of which at least one cell names a metric, an epoch or an iteration,
    or one that is told, no cell is a number, and after which a line of as many cells holds one.
    """
    text = without_rules(text)
    lines = [line for line in text.splitlines()[:LOOKED_AT] if line.strip()]
    best: tuple[int, str] | None = None
    for separator in SEPARATORS:
        rows = [_split(line, separator) for line in lines]
        for place, header in enumerate(rows[:-1]):
            known = _num_known(header, told)
            if known and _is_row(rows[place + 1], len(header), separator):
                if len(header) == 1 and separator != ",":
                    break
                if best is None or known > best[0]:
                    best = (known, separator)
                break
    return None if best is None else best[1]


def without_rules(text: str) -> str:
    """The text without lines drawn around its table, and without colours."""
    if "---" not in text and "===" not in text:
        return text
    lines = ESCAPES.sub("", text).splitlines()
    return "\n".join(line for line in lines if not _RULE.fullmatch(line))


def read_separated(text: str, separator: str, told: Collection[str] = ()) -> list[Table]:
    """The tables of a file: a line that names columns anew begins another."""
    text = without_rules(text)
    tables: list[Table] = []
    header: Row | None = None
    rows: list[dict[str, float | str]] = []
    percents: set[str] = set()
    dropped = 0
    is_comma = separator != "," and _has_decimal_commas(text, separator)
    for cells in _rows(text, separator):
        if not any(cell.strip() for cell in cells):
            continue
        if not isinstance(read_cell(cells[0]), float) and (
            _num_known(cells, told) and not _numbers(cells)
        ):
            if header is not None and _names(cells) != _names(header):
                tables += _table(rows, percents)
                rows, percents = [], set()
            header = cells
            continue
        if header is None or not _fits(cells, header, separator):
            dropped += header is not None
            continue
        row: dict[str, float | str] = {}
        for name, cell in zip(_names(header), cells, strict=False):
            value = read_cell(cell, decimal_comma=is_comma)
            if value is not None and name:
                row[name] = value
                if isinstance(value, float) and cell.rstrip().endswith("%"):
                    percents.add(name)
        rows.append(row)
    tables += _table(rows, percents)
    if tables and is_comma:
        tables[0].notes.append("numbers are written with a decimal comma")
    if tables and dropped:
        lines = "1 line does" if dropped == 1 else f"{dropped} lines do"
        tables[-1].notes.append(f"{lines} not have the header's columns and were left out")
    return tables


def _table(rows: list[dict[str, float | str]], percents: set[str]) -> list[Table]:
    if not rows:
        return []
    table = table_of_rows(rows)
    table.percents = set(percents)
    return [table]


def _rows(text: str, separator: str) -> list[Row]:
    if separator in (" ", "|"):
        return [_split(line, separator) for line in text.splitlines()]
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error:  # a cell beyond the module's limit, as behind a quote that is never closed
        return [line.split(separator) for line in text.splitlines()]


def _split(line: str, separator: str) -> Row:
    if separator == " ":
        return re.split(r"\s{2,}|\t|\s", line.strip())
    if separator == "|":
        return [cell.strip() for cell in line.strip().strip("|").split("|")]
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return line.split(separator)


def _names(header: Row) -> list[str]:
    """Column names, each once: a name that comes again gets a number."""
    seen: dict[str, int] = {}
    names = []
    for cell in header:
        name = cell.strip().lstrip("#").strip().strip("\"'")
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 or not name else f"{name} ({seen[name]})")
    return names


def _num_known(cells: Row, told: Collection[str]) -> int:
    return sum(
        len(cell) <= LONGEST_NAME
        and (cell.strip() in told or role_of(cell).what in ("metric", "epoch", "iteration", "lr"))
        for cell in cells
        if not isinstance(read_cell(cell), float)
    )


def _numbers(cells: Row) -> int:
    return sum(isinstance(read_cell(cell), float) for cell in cells)


def _is_row(cells: Row, columns: int, separator: str) -> bool:
    comma = separator != ","
    has_number = any(isinstance(read_cell(c, decimal_comma=comma), float) for c in cells)
    return len(cells) == columns and has_number


def _fits(cells: Row, header: Row, separator: str) -> bool:
    """Whether a line belongs under a header; a last line may have been cut off."""
    if separator == " ":
        return len(cells) == len(header)
    return 0 < len(cells) <= len(header) or not any(cell.strip() for cell in cells[len(header) :])


def _has_decimal_commas(text: str, separator: str) -> bool:
    cells = [c for line in text.splitlines()[:LOOKED_AT] for c in _split(line, separator)]
    return sum(map(is_decimal_comma, cells)) > sum(
        isinstance(read_cell(c), float) and "." in c for c in cells
    )
