"""What a series draws: a line with its band, dots with their whiskers, bars."""

from __future__ import annotations

import math
from collections.abc import Iterator

from recipes.step import Figure, Series
from service.figures.lettering import CHARACTER, ROLES, role_of
from service.figures.markers import Point, edge_mark, error_bar, marker, text
from service.figures.plot import Plot
from service.views.format import number

MAX_POINTS_PER_PIXEL = 2
MARKED_POINTS = 60
"""A line of at most this many points also shows its points, each with its title."""

CROWD = 8
"""Of more series than this the lines show no points: a line says which trial it is."""

BOX_ROOM = 7.0
"""Pixels that a box stands out beyond what it holds, so that a fixed value has a box, too."""

LEAST_BETWEEN_ARROWS = 8
"""Pixels between two arrows of a line: one is enough for a crowd."""


def boxes(figure: Figure, plot: Plot) -> Iterator[str]:
    """The regions of a figure, each with its name at a corner of its own."""
    for place, box in enumerate(figure.boxes):
        lows = [plot.zero if figure.x_log and x == 0 and plot.zero else plot.x(x) for x in box.x]
        left, right = max(lows[0] - BOX_ROOM, plot.left + 1), min(lows[1] + BOX_ROOM, plot.right)
        bottom, top = plot.y(box.y[0]) + BOX_ROOM, plot.y(box.y[1]) - BOX_ROOM
        role = box.role if box.role in ROLES else "muted"
        yield (
            f'<rect class="c-box c-{role}" x="{left:.1f}" y="{top:.1f}"'
            f' width="{right - left:.1f}" height="{bottom - top:.1f}" rx="3">'
            f"<title>{text(box.name)}</title></rect>"
        )
        # Above its own edge, the first box at its right end and the next at its left one, so that
        # two boxes with one upper edge keep their names apart.
        wide = CHARACTER * len(box.name)
        start = min(left + 4, plot.right - wide) if place else max(right - wide, plot.left)
        base = top - 4
        yield (f'<text class="c-ref-label" x="{start:.1f}" y="{base:.1f}">{text(box.name)}</text>')


def line(
    series: Series, points: list[Point], tone: str, *, is_crowded: bool = False
) -> Iterator[str]:
    """A line, with gaps where values are missing, and the band of its errors below it.

    Args:
        series: What it shows.
        points: Where they lie.
        tone: A class that gives another colour than the role's.
        is_crowded: Whether it is one of so many that points would hide the lines.
    """
    role = role_of(series)
    colour = f"c-{role} {tone}".rstrip()
    stretches = _stretches(points)
    for stretch in stretches:
        yield from _band(stretch, colour)
        thin = _thin(stretch)
        path = " ".join(f"{point.x:.1f},{point.y:.1f}" for point in thin)
        if len(thin) > 1:
            title = f"<title>{text(series.name)}</title>"
            yield f'<polyline class="c-line {colour}" points="{path}">{title}</polyline>'
    inside = [point for point in points if not point.beyond]
    if len(inside) <= MARKED_POINTS and role != "reference" and not is_crowded:
        for point in inside:
            yield marker(point, role, tone=tone, small=True)
    elif len(inside) > MARKED_POINTS or is_crowded:
        for stretch in stretches:
            if len(stretch) == 1:
                yield marker(stretch[0], role, tone=tone, small=True)
    last_mark = -math.inf
    for point in points:
        if point.beyond and point.x - last_mark >= LEAST_BETWEEN_ARROWS:
            last_mark = point.x
            yield marker(point, role) if point.beyond == "none" else edge_mark(point, role)


def dots(series: Series, points: list[Point]) -> Iterator[str]:
    """Points, with whiskers where they have errors."""
    role = role_of(series)
    for point in points:
        if point.beyond in ("above", "below"):
            yield edge_mark(point, role)
        else:
            yield error_bar(point, role) + marker(point, role)


def bars(series: Series, plot: Plot, index: int, count: int) -> Iterator[str]:
    """Upright bars, the ``index``-th series of ``count`` side by side in each category."""
    role = role_of(series)
    slot = abs(plot.x(1.0) - plot.x(0.0)) if plot.x.high >= 1 else plot.x.end - plot.x.start
    thick = min(48.0, 0.7 * slot / count)
    floor = plot.y(plot.y.low if plot.y.log else 0.0)
    for place, y in enumerate(series.y):
        left = plot.x(place) + (index - count / 2) * thick
        label = series.labels[place] if place < len(series.labels) else str(place)
        title = f"{series.name}, {label}: {number(float(y))}"
        if not math.isfinite(y) or y > plot.y.high:
            yield edge_mark(Point(left + thick / 2, plot.top, title, "above"), role)
            if not math.isfinite(y):
                continue
        high, low = sorted((plot.y(y), floor))
        yield (
            f'<rect class="c-bar c-{role}" x="{left + 1:.1f}" y="{high:.1f}"'
            f' width="{thick - 2:.1f}" height="{max(low - high, 0.75):.1f}" rx="1.5">'
            f"<title>{text(title)}</title></rect>"
        )
        error = series.errors[place] if place < len(series.errors) else math.nan
        if math.isfinite(error):
            middle = left + thick / 2
            span = (plot.y(y + error), plot.y(y - error if not plot.y.log else plot.y.low))
            yield error_bar(Point(middle, plot.y(y), title, span=span), role)


def _band(stretch: list[Point], colour: str) -> Iterator[str]:
    spans = [(point.x, point.span) for point in stretch if point.span is not None]
    if len(spans) < 2:
        return
    upper = [f"{x:.1f},{span[0]:.1f}" for x, span in spans]
    lower = [f"{x:.1f},{span[1]:.1f}" for x, span in reversed(spans)]
    yield f'<polygon class="c-band {colour}" points="{" ".join([*upper, *lower])}"/>'


def _stretches(points: list[Point]) -> list[list[Point]]:
    """Runs of neighbouring points that lie on the canvas: a gap parts them."""
    stretches: list[list[Point]] = [[]]
    for point in points:
        if point.beyond:
            stretches.append([])
        else:
            stretches[-1].append(point)
    return [stretch for stretch in stretches if stretch]


def _thin(points: list[Point]) -> list[Point]:
    """Lowest and highest point of each pixel column, in order, where columns are crowded."""
    columns = int(points[-1].x - points[0].x) + 1
    if len(points) <= MAX_POINTS_PER_PIXEL * columns:
        return points
    kept: list[Point] = []
    column: list[Point] = []
    for point in points:
        if column and int(point.x) != int(column[0].x):
            kept.extend(_extremes(column))
            column = []
        column.append(point)
    return [*kept, *_extremes(column)]


def _extremes(column: list[Point]) -> list[Point]:
    low = min(range(len(column)), key=lambda i: column[i].y)
    high = max(range(len(column)), key=lambda i: column[i].y)
    return [column[i] for i in sorted({low, high})]
