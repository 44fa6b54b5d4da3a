"""One cell of a log: a number, a text, or nothing."""

from __future__ import annotations

import math
import re

EMPTY = frozenset({"", "-", "--", "n/a", "na", "none", "null", "nil", "?", "—"})
NON_FINITE = {
    "nan": math.nan,
    "+nan": math.nan,
    "-nan": math.nan,
    "inf": math.inf,
    "+inf": math.inf,
    "infinity": math.inf,
    "+infinity": math.inf,
    "-inf": -math.inf,
    "-infinity": -math.inf,
}

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x08+")
"""Colours and movements of a terminal."""

NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
"""A finite number as logs print it, as a pattern."""

_NUMBER = re.compile(NUMBER)
_WRAPPED = re.compile(
    rf"(?:tensor|array|np\.float\d+|float)?\s*[(\[]\s*({NUMBER}|-?inf|nan)\s*(?:,[^)\]]*)?[)\]]"
)
_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")


def is_decimal_comma(text: str) -> bool:
    """Whether a cell is a number with a comma for its point."""
    return _COMMA.fullmatch(text.strip()) is not None


def read_cell(text: str, *, decimal_comma: bool = False) -> float | str | None:
    """A cell's number, else its text, else None for nothing.

    ``12 %`` is 12.0; ``tensor(0.5)`` and ``[0.001]`` are the number inside. NaN and
    infinities are numbers here. Thousands' separators are not undone: ``1,000`` may be a
    decimal comma.

    Args:
        text: The cell.
        decimal_comma: Whether ``0,5`` is a half.
    """
    if "_" not in text and text.strip():
        try:
            return float(text)
        except ValueError:
            pass  # what is no bare number is looked at more closely below
    cell = text.strip().strip("\"'`*").strip()
    lowered = cell.lower()
    if lowered in EMPTY:
        return None
    if lowered in NON_FINITE:
        return NON_FINITE[lowered]
    if decimal_comma and _COMMA.fullmatch(cell):
        cell = cell.replace(",", ".")
    bare = cell[:-1].rstrip() if cell.endswith("%") else cell
    if _NUMBER.fullmatch(bare):
        return float(bare)
    wrapped = _WRAPPED.fullmatch(lowered)
    if wrapped is not None:
        inside = wrapped[1]
        return NON_FINITE[inside] if inside in NON_FINITE else float(inside)
    return cell
