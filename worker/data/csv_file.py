"""A CSV file as columns of text, with an explanation for every way it can be unreadable."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recipes.words import plural
from worker.describe.errors import TaskError, describe_exception, task_error

DELIMITERS = ",;\t|"
"""What may separate cells: the one that the first line has most of, the comma when none."""
MAX_COLUMNS = 10_000
"""More are refused: it is a table turned on its side, or no table."""
MAX_BYTES = 2 * 1024**3
"""Larger files are refused: as text in memory they take several times as much."""


@dataclass(frozen=True)
class Table:
    """The file's cells, stripped of blanks around them.

    Attributes:
        columns: Each column's cells in the order of the rows, by the column's name.
        lines: Each row's line in the file, counted from 1.
    """

    path: Path
    columns: dict[str, tuple[str, ...]]
    lines: tuple[int, ...]

    def error(
        self, message: str, *, cure: str, row: int | None = None, line: int = 1
    ) -> TaskError:
        """An error that names the file and a place in it.

        Args:
            message: What is wrong.
            cure: What to do about it.
            row: The row it is about, from 0; else ``line`` says where.
            line: The line, where it is about no row.
        """
        where = line if row is None else self.lines[row]
        return task_error(message, cure=cure, file=str(self.path), line=where)


def read_table(path: Path) -> Table:
    """Read a CSV file whose first line names the columns.

    UTF-8, with or without a byte order mark; cells separated by commas, semicolons, tabs
    or bars, quoted with ``"`` where they hold one of these. Empty lines are left out.

    Raises:
        TaskError: It cannot be read as such; names file, line and the cure.
    """
    text = _text(path)
    rows, lines = _rows(path, text)
    if not rows:
        raise task_error(
            "the file is empty",
            cure="write one line of column names, then one line a sample",
            file=str(path),
        )
    header = [cell.strip() for cell in rows[0]]
    _check_header(path, header, lines[0])
    if len(rows) == 1:
        raise task_error(
            "the file has column names and no rows",
            cure="add one line a sample",
            file=str(path),
            line=lines[0],
        )
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(header):
            raise task_error(
                f"the line has {plural(len(row), 'cell')}, the first one {len(header)}",
                cure=f"give every line {len(header)} cells;"
                ' quote a cell that holds a comma: "a, b"',
                file=str(path),
                line=line,
            )
    columns = zip(*rows[1:], strict=True)
    cells = (tuple(cell.strip() for cell in column) for column in columns)
    return Table(path, dict(zip(header, cells, strict=True)), tuple(lines[1:]))


def known_column(table: Table, name: str, *, argument: str) -> str:
    """The name itself, if the table has such a column.

    Args:
        table: The table.
        name: The column's name.
        argument: The task's argument it was given by, for the message.

    Raises:
        TaskError: It has none; says which come near.
    """
    if name in table.columns:
        return name
    close = difflib.get_close_matches(name, table.columns, n=1)
    raise table.error(
        f"{argument}: there is no column {name!r}",
        cure=f"did you mean {close[0]!r}?" if close else f"there are {_listed(table.columns)}",
        line=1,
    )


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise task_error(
                f"the file has {size / 1e9:.1f} GB, more than the {MAX_BYTES / 1e9:.1f} GB that"
                " are read",
                cure="give a part of it, or write a task of your own that reads it in pieces",
                file=str(path),
            )
        content = path.read_bytes()
    except OSError as error:
        raise task_error(
            f"{path} cannot be read: {describe_exception(error)}",
            cure="make it readable for the user the worker runs as",
            file=str(path),
        ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise task_error(
            f"the file is not UTF-8: byte 0x{content[error.start]:02x}",
            cure=f"convert it: iconv -f latin1 -t utf-8 {path.name} > utf8.csv",
            file=str(path),
            line=content.count(b"\n", 0, error.start) + 1,
        ) from error


def _rows(path: Path, text: str) -> tuple[list[list[str]], list[int]]:
    """The rows that are not empty, and the line each ends on."""
    first = next((line for line in io.StringIO(text) if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    rows: list[list[str]] = []
    numbers: list[int] = []
    try:
        for row in reader:
            if len(row) > 1 or (row and row[0].strip()):
                rows.append(row)
                numbers.append(reader.line_num)
    except csv.Error as error:
        raise task_error(
            f"the line is not CSV: {error}",
            cure='close every quote, and double a quote inside one: "5"" disk"',
            file=str(path),
            line=reader.line_num,
        ) from error
    return rows, numbers


def _check_header(path: Path, header: Sequence[str], line: int) -> None:
    if len(header) > MAX_COLUMNS:
        problem = f"the first line has {len(header)} cells, more than {MAX_COLUMNS} columns"
        cure = "write one line a sample, and no more columns than that"
    elif all(_is_number(name) for name in header):
        problem = "the first line holds numbers, not the names of the columns"
        cure = "put a line of column names first"
    elif "" in header:
        problem = f"column {header.index('') + 1} has no name"
        cure = "name it; an index that pandas wrote goes by to_csv(..., index=False)"
    elif len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        problem = f"two columns are called {twice!r}"
        cure = "give every column a name of its own"
    else:
        return
    raise task_error(problem, cure=cure, file=str(path), line=line)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _listed(names: Sequence[str] | dict[str, tuple[str, ...]]) -> str:
    """At most ten of them."""
    shown = list(names)[:10]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "")
