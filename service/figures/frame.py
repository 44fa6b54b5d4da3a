"""What stands around the points of a figure: grid, axes, ticks, interval, reference lines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from recipes.step import Figure
from service.figures.lettering import CHARACTER, cut, legible_stride
from service.figures.markers import Point, text
from service.figures.plot import BAND, Plot
from service.views.format import number

ZOOMED = 0.5
"""An axis that shows less than this share of the way from 0 to its largest value says so."""


def frame(figure: Figure, plot: Plot, *, width: int, height: int) -> Iterator[str]:
    """Shaded interval, grid and both axes with their labels."""
    left, right, top, bottom = plot.left, plot.right, plot.top, plot.bottom
    if figure.shaded is not None and all(map(math.isfinite, figure.shaded)):
        low, high = sorted(map(plot.x, figure.shaded))
        yield (
            f'<rect class="c-shade" x="{low:.1f}" y="{top:.1f}" width="{high - low:.1f}"'
            f' height="{bottom - top:.1f}"/>'
        )
    y_label = cut(_y_label(figure, plot), width - 16)
    yield f'<text class="c-label" x="8" y="{top - 8:.1f}">{text(y_label)}</text>'
    for value, label in plot.y.ticks(5):
        y = plot.y(value)
        yield f'<path class="c-grid" d="M{left} {y:.1f}H{right}"/>'
        yield (
            f'<text class="c-tick" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        )
    if plot.y.start < bottom and any(not math.isfinite(y) for s in figure.series for y in s.y):
        yield (
            f'<text class="c-tick" x="{left - 6}" y="{bottom - BAND / 2 + 4:.1f}"'
            ' text-anchor="end">none</text>'
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
        f' text-anchor="middle">{text(cut(figure.x_label, right - left))}</text>'
    )


def _y_label(figure: Figure, plot: Plot) -> str:
    if figure.y_log:
        return figure.y_label if "log" in figure.y_label else f"{figure.y_label} (log)"
    scale = plot.y
    away = scale.low > 0 or scale.high < 0
    largest = max(abs(scale.low), abs(scale.high))
    if away and scale.high - scale.low < ZOOMED * largest:
        return f"{figure.y_label} (zoomed: the axis does not begin at 0)"
    return figure.y_label


def _x_ticks(plot: Plot, *, at_most: int) -> Iterator[tuple[float, str]]:
    if plot.categories:
        room = (plot.x.end - plot.x.start) / max(len(plot.categories), 1)
        stride = legible_stride(room, plot.categories)
        for place, label in list(enumerate(plot.categories))[::stride]:
            yield plot.x(place), cut(label, max(room * stride - 4, 4 * CHARACTER))
        return
    if plot.zero is not None:
        yield plot.zero, "0"
    for value, label in plot.x.ticks(at_most):
        if value.is_integer() or not plot.whole:
            yield plot.x(value), label


def references(figure: Figure, plot: Plot, points: Sequence[Point]) -> Iterator[str]:
    """Horizontal lines with their names, each named where it hides the fewest points."""
    taken: list[tuple[float, float, float]] = []
    for name, value in figure.horizontal:
        if not math.isfinite(value) or not plot.y.shows(value):
            continue
        y = plot.y(value)
        label = f"{name} ({number(float(value))})"
        x, place = _room(label, y, plot, points, taken)
        taken.append((x, place, CHARACTER * len(label)))
        yield f'<path class="c-ref" d="M{plot.left:.1f} {y:.1f}H{plot.right:.1f}"/>'
        yield (
            f'<text class="c-ref-label" x="{x:.1f}" y="{place:.1f}" text-anchor="start">'
            f"{text(label)}</text>"
        )


def _room(
    label: str,
    y: float,
    plot: Plot,
    points: Sequence[Point],
    taken: Sequence[tuple[float, float, float]],
) -> tuple[float, float]:
    """Left end and baseline for a label on a line: right or left, above it or below."""
    wide = CHARACTER * len(label)
    best, fewest = (max(plot.right - 2 - wide, plot.left), y - 5), math.inf
    for x in (max(plot.right - 2 - wide, plot.left), plot.left + 4):
        for base in (y - 5, y + 14):
            if base > plot.bottom - 2:
                continue
            hidden = sum(
                x - 5 <= p.x <= x + wide + 5 and base - 14 <= p.y <= base + 5 for p in points
            )
            clash = sum(
                abs(base - other) < 13 and x < at + length and at < x + wide
                for at, other, length in taken
            )
            if hidden + 100 * clash < fewest:
                best, fewest = (x, base), hidden + 100 * clash
    return best
