"""Bars that lie: one series whose names are too long to stand under upright ones."""

from __future__ import annotations

import math
from collections.abc import Iterator

from recipes.step import Figure, Series
from service.figures.lettering import CHARACTER, cut, role_of
from service.figures.markers import text
from service.figures.scales import fit
from service.views.format import number

ROW = 26
"""Height of a bar with its room, in pixels."""

NAMES_SHARE = 0.42
"""Most of the width that the names may take."""

VALUE_ROOM = 56
"""Width right of the longest bar for its value."""


def lies(figure: Figure, width: int) -> bool:
    """Whether a figure is better drawn with lying bars."""
    if len(figure.series) != 1 or figure.series[0].style != "bars" or figure.y_log:
        return False
    (series,) = figure.series
    longest = max(map(len, series.labels), default=0)
    room = (width - 70) / max(len(series.y), 1)
    return bool(series.labels) and CHARACTER * longest > room - 6


def height_of(figure: Figure, top: float) -> int:
    """Height of the whole figure."""
    return round(top + ROW * len(figure.series[0].y) + 40)


def ranking(figure: Figure, *, width: int, height: int, top: float) -> Iterator[str]:
    """The bars, from the top, each with its name before it and its value behind it."""
    (series,) = figure.series
    names = max(map(len, series.labels), default=0) * CHARACTER + 8
    left = min(8 + names, NAMES_SHARE * width)
    finite = [y for y in series.y if math.isfinite(y)]
    reach = [y + e for y, e in zip(series.y, series.errors, strict=False) if math.isfinite(y + e)]
    scale = fit([*finite, *reach], log=False, start=left, end=width - VALUE_ROOM, from_zero=True)
    zero, bottom = scale(0.0), top + ROW * len(series.y)
    yield f'<path class="c-axis" d="M{zero:.1f} {top:.1f}V{bottom:.1f}"/>'
    for place, y in enumerate(series.y):
        yield from _row(series, place, y, scale(y) if math.isfinite(y) else zero, zero, left, top)
    yield (
        f'<text class="c-label" x="{(left + width - VALUE_ROOM) / 2:.1f}" y="{height - 12}"'
        f' text-anchor="middle">{text(cut(figure.y_label, width - left))}</text>'
    )


def _row(
    series: Series, place: int, y: float, x: float, zero: float, left: float, top: float
) -> Iterator[str]:
    middle = top + ROW * (place + 0.5)
    label = series.labels[place] if place < len(series.labels) else str(place)
    start, end = sorted((zero, x))
    error = series.errors[place] if place < len(series.errors) else math.nan
    value = number(float(y), 3)
    if math.isfinite(error):
        value += f" ± {number(float(error), 2)}"
    yield (
        f'<text class="c-name" x="{left - 8:.1f}" y="{middle + 4:.1f}" text-anchor="end">'
        f"{text(cut(label, left - 16))}</text>"
        f'<rect class="c-bar c-{role_of(series)}" x="{start:.1f}" y="{middle - 8:.1f}"'
        f' width="{max(end - start, 0.75):.1f}" height="16" rx="1.5">'
        f"<title>{text(f'{label}: {value}')}</title></rect>"
        f'<text class="c-tick" x="{end + 6:.1f}" y="{middle + 4:.1f}">{text(value)}</text>'
    )
