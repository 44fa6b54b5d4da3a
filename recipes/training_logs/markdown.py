"""Tables in Markdown: each is one, the heading above it names the run or the split."""

from __future__ import annotations

import re

from recipes.training_logs.cells import read_cell
from recipes.training_logs.names import SPLITS, role_of, words_of
from recipes.training_logs.table import Table, table_of_rows

_RULE = re.compile(r"\s*\|?\s*:?-{1,}:?\s*(\|\s*:?-{1,}:?\s*)+\|?\s*|\s*\|\s*:?-{2,}:?\s*\|\s*")
_HEADING = re.compile(r"\s*(?:#{1,6}\s+(.*?)\s*#*|\*\*(.+?)\*\*:?)\s*")


def has_markdown_table(text: str) -> bool:
    """Whether a line of dashes and bars stands below one with bars."""
    lines = text.splitlines()
    return any(
        "|" in lines[at - 1] and _RULE.fullmatch(line) is not None
        for at, line in enumerate(lines)
        if at and "|" in line and "-" in line
    )


def read_markdown(text: str) -> list[Table]:
    """The tables in which a column means something.

    A table under a heading that names a split and nothing else (*Validation*) has that
    split before its columns' names; tables of one run's splits are put together by epoch.
    """
    lines = text.splitlines()
    found: list[Table] = []
    run, split = "", ""
    at = 0
    while at < len(lines):
        heading = _HEADING.fullmatch(lines[at])
        if heading is not None:
            words = (heading[1] or heading[2] or "").strip()
            split = next((SPLITS[word] for word in words_of(words) if word in SPLITS), "")
            run = words if not split else run
        elif at + 1 < len(lines) and "|" in lines[at] and _RULE.fullmatch(lines[at + 1]):
            table, at = _table(lines, at)
            if table is not None:
                table.name = run
                _add(found, _with_split(table, split))
            continue
        at += 1
    return found


def _table(lines: list[str], at: int) -> tuple[Table | None, int]:
    names = _cells(lines[at])
    rows: list[dict[str, float | str]] = []
    percents: set[str] = set()
    at += 2
    while at < len(lines) and "|" in lines[at]:
        row: dict[str, float | str] = {}
        for name, cell in zip(names, _cells(lines[at]), strict=False):
            value = read_cell(cell)
            if value is not None and name:
                row[name] = value
                if cell.rstrip("*_ ").endswith("%"):
                    percents.add(name)
        rows.append(row)
        at += 1
    if not rows or not any(role_of(name).what == "metric" for name in names):
        return None, at
    table = table_of_rows(rows)
    table.percents = percents
    return table, at


def _cells(line: str) -> list[str]:
    return [cell.strip().strip("*_`").strip() for cell in line.strip().strip("|").split("|")]


def _with_split(table: Table, split: str) -> Table:
    if not split:
        return table
    named = {
        name: f"{split} {name}" if (r := role_of(name)).what == "metric" and not r.split else name
        for name in table.columns
    }
    table.columns = {named[name]: cells for name, cells in table.columns.items()}
    table.percents = {named.get(name, name) for name in table.percents}
    return table


def _add(found: list[Table], table: Table) -> None:
    """Add a table, or join it to the one before when it has the same epochs and other metrics."""
    if found and found[-1].name == table.name:
        last = found[-1]
        key = next((name for name in table.columns if role_of(name).what == "epoch"), None)
        metrics = {name for name in table.columns if role_of(name).what == "metric"}
        if key is not None and key in last.columns and not metrics & set(last.columns):
            by_epoch = {epoch: row for row, epoch in enumerate(table.columns[key])}
            rows = [by_epoch.get(epoch) for epoch in last.columns[key]]
            if sum(row is not None for row in rows) >= len(rows) / 2:
                for name in metrics:
                    cells = table.columns[name]
                    last.columns[name] = [None if row is None else cells[row] for row in rows]
                last.percents |= table.percents
                return
    found.append(table)
