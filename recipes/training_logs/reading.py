"""The door: a file's bytes in, its runs and what could not be read out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recipes.training_logs.errors import LogError
from recipes.training_logs.events import joined, read_events, told_apart
from recipes.training_logs.interpretation import interpret
from recipes.training_logs.json_log import (
    read_json,
    read_json_lines,
    refuse_broken_json,
    tables_of,
)
from recipes.training_logs.markdown import has_markdown_table, read_markdown
from recipes.training_logs.names import Role, role_of
from recipes.training_logs.options import LogOptions, told_role
from recipes.training_logs.plain import read_plain
from recipes.training_logs.run import LoggedRun
from recipes.training_logs.runs import split_runs
from recipes.training_logs.separated import SEPARATORS, find_separator, read_separated
from recipes.training_logs.table import Table
from recipes.training_logs.text import decode, unpacked

NOTHING_FOUND = (
    "nothing in it could be read as a curve: no header, key or word names a loss or a metric "
    "beside a number; name columns with --map COLUMN=val_loss, or give CSV with a header"
)

NO_CURVES = (
    "there is no loss or metric in it that is known by its name; give lists by column "
    '({"loss": [...], "val_loss": [...]}) or rows, and say with --map what other columns are'
)


@dataclass
class LogReading:
    """What a file gave.

    Attributes:
        runs: In the file's order.
        refused: Name of a run (or of the file) and why it was not read.
    """

    runs: list[LoggedRun] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def read_log(data: bytes, options: LogOptions, *, source: str) -> LogReading:
    """Read a text log: CSV, JSON, JSON lines, Markdown tables, or plain lines.

    Args:
        data: The file's content, packed with gzip or not.
        options: What is told rather than guessed.
        source: Its name, for people.

    Raises:
        LogError: The file as a whole cannot be read.
    """
    tables, format = _tables(decode(unpacked(data)), options)
    return _read(tables, options, source=source, format=format)


def read_event_files(paths: Sequence[Path], options: LogOptions, *, source: str) -> LogReading:
    """Read the TensorBoard event files of a folder: one run, or several that begin anew.

    Raises:
        LogError: One cannot be read.
    """
    runs = told_apart([read_events(path) for path in paths])
    tables = [joined(run) for run in runs]
    if len(tables) > 1:
        for number, table in enumerate(tables, start=1):
            table.name = f"run {number}"
            table.notes.append(f"run {number} of {len(tables)}: its file begins anew")
    return _read(tables, options, source=source, format="TensorBoard event file")


def read_values(document: object, options: LogOptions, *, source: str) -> LogReading:
    """Read curves from a JSON value: rows, or lists by name, or runs of either.

    Raises:
        LogError: It holds no curve.
    """
    tables = tables_of(document, options.names)
    if not tables:
        raise LogError(NO_CURVES)
    return _read(tables, options, source=source, format="JSON")


def _tables(text: str, options: LogOptions) -> tuple[list[Table], str]:
    """The tables of a text, and what it was read as."""
    told = options.names
    start = text.lstrip()[:1]
    if start in ("{", "["):
        document = read_json(text, told)
        if document is not None:
            return document, "JSON"
        lines = read_json_lines(text, told)
        if lines is not None:
            return lines, "JSON lines"
        refuse_broken_json(text)
    if has_markdown_table(text):
        tables = read_markdown(text)
        if tables:
            return tables, "Markdown table"
    separator = find_separator(text, told)
    separated = [] if separator is None else read_separated(text, separator, told)
    plain = [] if _num_rows(separated) > 1 and separator != " " else read_plain(text, told)
    if separated and separator and _num_rows(separated) >= _num_rows(plain):
        return separated, f"table separated by {SEPARATORS[separator]}"
    if plain:
        return plain, "plain log"
    lines = read_json_lines(text, told)
    if lines is not None:
        return lines, "JSON lines"
    raise LogError(NOTHING_FOUND)


def _num_rows(tables: Iterable[Table]) -> int:
    return sum(table.num_rows for table in tables)


def _read(tables: Sequence[Table], options: LogOptions, *, source: str, format: str) -> LogReading:
    told = {name: told_role(name, target) for name, target in options.names.items()}
    known = {name for table in tables for name in (*table.columns, *table.labels)}
    for name in told:
        if name not in known:
            raise LogError(
                f"--map {name}={options.names[name]}: there is no column {name!r}; there are "
                f"{', '.join(sorted(known)[:20])}"
            )
    reading = LogReading()
    for table in tables:
        try:
            runs = split_runs(table, _roles(table, told))
        except LogError as error:
            reading.refused.append((table.name or source, str(error)))
            continue
        for each in runs:
            try:
                run = interpret(each, _roles(each, told), options, source=source, format=format)
            except LogError as error:
                reading.refused.append((each.name or source, str(error)))
                continue
            reading.runs.append(run)
    return reading


def _roles(table: Table, told: dict[str, Role]) -> dict[str, Role]:
    names = (*table.columns, *table.labels)
    return {name: told.get(name, role_of(name)) for name in names} | table.told
