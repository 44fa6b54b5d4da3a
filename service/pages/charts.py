"""Evidence figures as SVG, made in Python: the same picture on page, report and REST.

Pure functions of :class:`recipes.step.Figure`. Colours come from CSS classes, so that a
figure on a page follows its theme; a standalone file carries its own style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from recipes.step import Figure, Series
from service.pages.format import number
from service.pages.markers import Point, edge_mark, marker, text
from service.pages.scales import Scale, fit

WIDE = (560, 320)
NARROW = (330, 280)
"""Width and height in CSS pixels: of a figure beside text, and of one on a phone."""

MAX_POINTS_PER_PIXEL = 2
MARKED_POINTS = 60
"""A line of at most this many points also shows its points, each with its title."""

BAND = 18
"""Height above the y axis that is kept for the arrows of values beyond it."""

CHARACTER = 6.4
"""Width of a character of the 12 px sans-serif type, near enough to lay out a legend."""

BOLD_CHARACTER = 7.7
"""The same of the title's."""

ROLES = ("train", "val", "reference", "good", "bad", "muted")

STYLE = """
svg{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;background:var(--surface)}
svg{--surface:#fff;--ink:#1b2330;--quiet:#5d6675;--line:#d9dee6;--train:#0072b2;--val:#d55e00}
svg{--good:#1a7f37;--bad:#b42318;--muted:#7d8794;--shade:#0072b21a}
@media (prefers-color-scheme:dark){svg{--surface:#161b22;--ink:#e8ecf2;--quiet:#a3adbb}
svg{--line:#333c48;--train:#56b4e9;--val:#e69f00;--good:#4ac26b;--bad:#ff8b7f;--muted:#8b95a3}
svg{--shade:#56b4e926}}
"""


@dataclass(frozen=True, slots=True)
class _Plot:
    """The canvas: both axes, and the names of categories where x has no numbers."""

    x: Scale
    y: Scale
    top: float  # of the canvas: a band for what lies beyond the y axis ends below it
    categories: tuple[str, ...]
    whole: bool  # x counts something: no ticks between whole numbers


def draw(
    figure: Figure,
    *,
    size: tuple[int, int] = WIDE,
    identifier: str | None = None,
    standalone: bool = False,
) -> str:
    """A figure as one ``<svg>`` element.

    Args:
        figure: What to draw. Non-finite values leave a gap in a line and a cross on the
            upper edge; values too large for the axis lie on that edge with an arrow.
        size: Width and height in CSS pixels.
        identifier: Prefix of the ids inside, unique on its page; the figure's name if None.
        standalone: Whether the file stands alone, and so needs its own style sheet.
    """
    width, height = size
    name = escape(identifier or figure.name)
    legend = list(_legend(figure, width))
    rows = 1 + max((row for _, row, _ in legend), default=-1)
    plot = _plot(figure, width=width, height=height, top=46.0 + 18 * rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" aria-labelledby="{name}-title {name}-desc" class="chart">',
        f'<title id="{name}-title">{text(figure.title)}</title>',
        f'<desc id="{name}-desc">{text(figure.summary)}</desc>',
    ]
    if standalone:
        parts.append(f"<style>{STYLE}{_rules()}</style>")
    title = text(_cut(figure.title, width - 16, BOLD_CHARACTER))
    parts.append(f'<text class="c-title" x="8" y="16">{title}</text>')
    parts.extend(_legend_marks(legend))
    parts.extend(_frame(figure, plot, width=width, height=height))
    bars = [series for series in figure.series if series.style == "bars"]
    for series in figure.series:
        if series.style == "bars":
            parts.extend(_bars(series, plot, bars.index(series), len(bars)))
        elif series.style == "dots":
            parts.extend(_dots(series, _points(series, figure, plot)))
        else:
            parts.extend(_line(series, _points(series, figure, plot)))
    parts.extend(_references(figure, plot, left=54, right=width - 14))
    if not any(series.y for series in figure.series):
        middle = (plot.y.start + plot.y.end) / 2
        parts.append(
            f'<text class="c-label" x="{width / 2}" y="{middle}" text-anchor="middle">'
            "No points yet</text>"
        )
    parts.append("</svg>")
    return "".join(parts)


@cache
def _rules() -> str:
    """The style sheet that pages link; a standalone file carries it."""
    return (Path(__file__).parent / "assets" / "chart.css").read_text()


def _plot(figure: Figure, *, width: int, height: int, top: float) -> _Plot:
    left, right, bottom = 54.0, width - 14.0, height - 40.0
    bars = [series for series in figure.series if series.style == "bars"]
    labels = max((series.labels for series in bars), key=len, default=())
    categories = labels if bars else ()
    xs = [x for series in figure.series for x in _xs(series)]
    if bars:
        count = max(len(series.y) for series in bars)
        x = Scale(-0.5, max(count, 1) - 0.5, left, right)
    else:
        x = fit([*xs, *(figure.shaded or ())], log=figure.x_log, start=left + 4, end=right - 4)
    y = fit(
        [y for series in figure.series for y in series.y],
        log=figure.y_log,
        start=bottom,
        end=top + BAND,
        keep=[y for _, y in figure.horizontal],
        clip=True,
        from_zero=bool(bars),
    )
    whole = not figure.x_log and all(float(x).is_integer() for x in xs)
    return _Plot(x, y, top, categories, whole)


def _xs(series: Series) -> Sequence[float]:
    return series.x or range(len(series.y))


def _points(series: Series, figure: Figure, plot: _Plot) -> list[Point]:
    points = []
    for index, (x, y) in enumerate(zip(_xs(series), series.y, strict=False)):
        if not math.isfinite(x) or (figure.x_log and x <= 0):
            continue
        label = series.labels[index] if index < len(series.labels) else ""
        title = label or f"{series.name}: {number(float(x))}, {number(float(y))}"
        beyond = not math.isfinite(y) or y > plot.y.high
        points.append(Point(plot.x(x), plot.top if beyond else plot.y(y), title, beyond))
    return points


def _line(series: Series, points: list[Point]) -> Iterator[str]:
    role = _role(series)
    for stretch in _stretches(points):
        thin = _thin(stretch)
        path = " ".join(f"{point.x:.1f},{point.y:.1f}" for point in thin)
        if len(thin) > 1:
            yield f'<polyline class="c-line c-{role}" points="{path}"/>'
    inside = [point for point in points if not point.beyond]
    if len(inside) <= MARKED_POINTS and series.role != "reference":
        for point in inside:
            yield marker(point, role, small=True)
    lonely = [s[0] for s in _stretches(points) if len(s) == 1]
    if len(inside) > MARKED_POINTS:
        for point in lonely:
            yield marker(point, role, small=True)
    last_mark = -math.inf
    for point in points:
        if point.beyond and point.x - last_mark >= 8:  # one arrow is enough for a crowd
            last_mark = point.x
            yield edge_mark(point, role)


def _dots(series: Series, points: list[Point]) -> Iterator[str]:
    role = _role(series)
    for point in points:
        yield edge_mark(point, role) if point.beyond else marker(point, role)


def _bars(series: Series, plot: _Plot, index: int, count: int) -> Iterator[str]:
    slot = abs(plot.x(1.0) - plot.x(0.0)) if plot.x.high >= 1 else plot.x.end - plot.x.start
    thick = min(48.0, 0.7 * slot / count)
    floor = plot.y(plot.y.low if plot.y.log else 0.0)
    for place, y in enumerate(series.y):
        left = plot.x(place) + (index - count / 2) * thick
        label = series.labels[place] if place < len(series.labels) else str(place)
        title = f"{series.name}, {label}: {number(float(y))}"
        if not math.isfinite(y) or y > plot.y.high:
            yield edge_mark(Point(left + thick / 2, plot.top, title, True), _role(series))
            if not math.isfinite(y):
                continue
        high, low = sorted((plot.y(y), floor))
        yield (
            f'<rect class="c-bar c-{_role(series)}" x="{left + 1:.1f}" y="{high:.1f}"'
            f' width="{thick - 2:.1f}" height="{max(low - high, 0.75):.1f}" rx="1.5">'
            f"<title>{text(title)}</title></rect>"
        )


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


def _role(series: Series) -> str:
    return series.role if series.role in ROLES else "muted"


def _legend(figure: Figure, width: int) -> Iterator[tuple[float, int, Series]]:
    """Where each named series stands in the legend: x, row and the series."""
    if len(figure.series) < 2:  # the title names it
        return
    x, row = 8.0, 0
    for series in figure.series:
        needed = 22 + CHARACTER * len(series.name)
        if x > 8 and x + needed > width - 8:
            x, row = 8.0, row + 1
        yield x, row, series
        x += needed + 12


def _legend_marks(legend: Sequence[tuple[float, int, Series]]) -> Iterator[str]:
    for x, row, series in legend:
        y, role = 32.0 + 18 * row, _role(series)
        if series.style == "bars":
            box = f'x="{x}" y="{y - 5}" width="12" height="10" rx="2"'
            yield f'<rect class="c-bar c-{role}" {box}/>'
        else:
            if series.style == "line":
                yield f'<path class="c-line c-{role}" d="M{x} {y}h14"/>'
            if series.style == "dots" or series.role != "reference":
                yield marker(Point(x + 7, y, series.name, False), role, small=True)
        yield f'<text class="c-legend" x="{x + 19}" y="{y + 4}">{text(series.name)}</text>'


def _frame(figure: Figure, plot: _Plot, *, width: int, height: int) -> Iterator[str]:
    left, right = 54, width - 14
    top, bottom = plot.top, plot.y.start
    if figure.shaded is not None and all(map(math.isfinite, figure.shaded)):
        low, high = sorted(map(plot.x, figure.shaded))
        yield (
            f'<rect class="c-shade" x="{low:.1f}" y="{top:.1f}" width="{high - low:.1f}"'
            f' height="{bottom - top:.1f}"/>'
        )
    y_label = figure.y_label + (" (log)" if figure.y_log and "log" not in figure.y_label else "")
    yield f'<text class="c-label" x="8" y="{top - 8:.1f}">{text(_cut(y_label, width - 16))}</text>'
    for value, label in plot.y.ticks(5):
        y = plot.y(value)
        yield f'<path class="c-grid" d="M{left} {y:.1f}H{right}"/>'
        yield (
            f'<text class="c-tick" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        )
    yield f'<path class="c-axis" d="M{left} {bottom:.1f}H{right}"/>'
    for x, label in _x_ticks(plot, at_most=max(3, width // 75)):
        yield f'<path class="c-axis" d="M{x:.1f} {bottom:.1f}v4"/>'
        yield (
            f'<text class="c-tick" x="{x:.1f}" y="{bottom + 17:.1f}" text-anchor="middle">'
            f"{text(label)}</text>"
        )
    yield (
        f'<text class="c-label" x="{(left + right) / 2:.1f}" y="{height - 6}"'
        f' text-anchor="middle">{text(figure.x_label)}</text>'
    )


def _x_ticks(plot: _Plot, *, at_most: int) -> Iterator[tuple[float, str]]:
    if not plot.categories:
        for value, label in plot.x.ticks(at_most):
            if value.is_integer() or not plot.whole:
                yield plot.x(value), label
        return
    room = (plot.x.end - plot.x.start) / len(plot.categories)
    stride = max(1, math.ceil(28 / room))
    for place, label in list(enumerate(plot.categories))[::stride]:
        yield plot.x(place), _cut(label, max(room * stride - 4, 4 * CHARACTER))


def _references(figure: Figure, plot: _Plot, *, left: float, right: float) -> Iterator[str]:
    taken: list[float] = []
    for name, value in figure.horizontal:
        if not math.isfinite(value) or not plot.y.shows(value):
            continue
        y = plot.y(value)
        above = y - 5
        place = above if all(abs(above - other) >= 13 for other in taken) else y + 14
        taken.append(place)
        label = f"{name} ({number(float(value))})"
        yield f'<path class="c-ref" d="M{left:.1f} {y:.1f}H{right:.1f}"/>'
        yield (
            f'<text class="c-ref-label" x="{right - 2:.1f}" y="{place:.1f}"'
            f' text-anchor="end">{text(label)}</text>'
        )


def _cut(value: str, width: float, character: float = CHARACTER) -> str:
    """A text that fits into so many pixels, with an ellipsis where it was cut."""
    room = max(int(width / character), 2)
    return value if len(value) <= room else value[: room - 1] + "…"
