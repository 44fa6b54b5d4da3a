"""Text in figures: how wide it is, where it breaks, and a figure's title and legend."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from recipes.step import Figure, Series
from service.figures.markers import Point, marker, text

CHARACTER = 6.4
"""Width of a character of the 12 px sans-serif type, near enough to lay out a legend."""

BOLD_CHARACTER = 7.7
"""The same of the title's."""

LINE = 17
"""Height of a line of text, in pixels."""

ROLES = ("train", "val", "reference", "good", "bad", "muted")

MAX_TONES = 6
"""Lines of one role that are told apart by colour; of more, the role's own colour says that
they are a crowd, and the legend names them once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the legend: its place, and what it stands for."""

    x: float
    row: int
    place: int  # of its series in the figure
    name: str


def role_of(series: Series) -> str:
    """A series' role; an unknown one is muted."""
    return series.role if series.role in ROLES else "muted"


def tones(figure: Figure) -> Mapping[int, str]:
    """Classes, by place in the figure, of lines that would share their colour with another.

    A figure whose lines all have roles of their own needs none; the reference line keeps
    its dashes.
    """
    lines = [
        place
        for place, series in enumerate(figure.series)
        if series.style == "line" and role_of(series) != "reference"
    ]
    roles = [role_of(figure.series[place]) for place in lines]
    shared = [place for place, role in zip(lines, roles, strict=True) if roles.count(role) > 1]
    if len(shared) > MAX_TONES:
        return {}
    return {place: f"c-tone{index}" for index, place in enumerate(shared)}


def wrap(value: str, width: float, character: float = CHARACTER) -> list[str]:
    """A text in lines that fit into so many pixels; at least one line."""
    return textwrap.wrap(value, max(int(width / character), 8)) or [""]


def cut(value: str, width: float, character: float = CHARACTER) -> str:
    """A text that fits into so many pixels, with an ellipsis where it was cut."""
    room = max(int(width / character), 2)
    return value if len(value) <= room else value[: room - 1] + "…"


def title_lines(figure: Figure, width: int) -> list[str]:
    """A figure's title, broken where it is too wide."""
    return wrap(figure.title, width - 16, BOLD_CHARACTER)


def title_marks(lines: list[str]) -> Iterator[str]:
    """The title's elements."""
    for row, line in enumerate(lines):
        yield f'<text class="c-title" x="8" y="{16 + LINE * row}">{text(line)}</text>'


def legend(figure: Figure, width: int) -> list[Entry]:
    """Where each series stands in the legend. A single one is named by the title.

    A crowd (more lines of one look than have colours of their own) is one entry.
    """
    if len(figure.series) < 2:
        return []
    toned = tones(figure)
    entries: list[Entry] = []
    x, row = 8.0, 0
    crowds: dict[tuple[str, str], int] = {}
    for place, series in enumerate(figure.series):
        look = (series.style, role_of(series))
        if place not in toned:
            crowds[look] = crowds.get(look, 0) + 1
    seen: set[tuple[str, str]] = set()
    for place, series in enumerate(figure.series):
        look, name = (series.style, role_of(series)), series.name
        if place not in toned:
            if look in seen:
                continue
            seen.add(look)
            if crowds[look] > 1:
                name = f"{name} and {crowds[look] - 1} more"
        needed = 22 + CHARACTER * len(name)
        if x > 8 and x + needed > width - 8:
            x, row = 8.0, row + 1
        entries.append(Entry(x, row, place, name))
        x += needed + 12
    return entries


def legend_marks(figure: Figure, entries: list[Entry], top: float) -> Iterator[str]:
    """The legend's elements, its first row centred on ``top``."""
    toned = tones(figure)
    for entry in entries:
        series, x = figure.series[entry.place], entry.x
        y, role = top + (LINE + 1) * entry.row, role_of(series)
        # Where colour tells a value, the legend's mark tells the shape alone.
        tone = "c-muted" if series.tints else toned.get(entry.place, "")
        colour = f"c-{role} {tone}".rstrip()
        if series.style == "bars":
            box = f'x="{x}" y="{y - 5}" width="12" height="10" rx="2"'
            yield f'<rect class="c-bar {colour}" {box}/>'
        else:
            if series.style == "line":
                yield f'<path class="c-line {colour}" d="M{x} {y}h14"/>'
            if series.style == "dots" or role != "reference":
                yield marker(Point(x + 7, y, entry.name), role, tone=tone, small=True)
        yield f'<text class="c-legend" x="{x + 19}" y="{y + 4}">{text(entry.name)}</text>'


def rows_of(entries: list[Entry]) -> int:
    """Rows that a legend takes."""
    return 1 + max((entry.row for entry in entries), default=-1)


def legible_stride(room: float, labels: tuple[str, ...]) -> int:
    """Every how many-th label fits, at ``room`` pixels a label."""
    longest = max(map(len, labels), default=1)
    needed = min(CHARACTER * longest + 8, 72)
    return max(1, math.ceil(needed / room)) if room > 0 else 1
