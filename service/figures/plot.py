"""The canvas of a figure: its axes, and where its points lie."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from recipes.step import Figure, Series
from service.figures.markers import Edge, Point
from service.figures.scales import Scale, fit
from service.figures.tints import Tints, tints_of
from service.views.format import number

BAND = 18
"""Height that is kept, at the edge for values beyond the axis, for their arrows."""

ZERO_ROOM = 46
"""Width left of a logarithmic x axis for the value 0, which has no place on it."""

LEFT, RIGHT, BOTTOM = 54, 14, 40
"""Margins around the canvas, in pixels: the tick labels' room."""

AXES: Mapping[str, tuple[float, float]] = {"accuracy": (0.0, 1.0)}
"""Where an axis ends whatever air or error bars would want: there is nothing beyond."""


@dataclass(frozen=True, slots=True)
class Plot:
    """The canvas: both axes, and the names of what stands on x where it has no numbers.

    Attributes:
        top: Of the canvas: what lies above the y axis has its band below it.
        bottom: Of the canvas, likewise.
        zero: Pixel of x = 0 beside a logarithmic axis; None where no point needs it.
        whole: Whether x counts something: no ticks between whole numbers.
    """

    x: Scale
    y: Scale
    left: float
    right: float
    top: float
    bottom: float
    categories: tuple[str, ...]
    zero: float | None
    whole: bool

    def edge(self, y: float, *, worse_below: bool) -> Edge:
        """The edge that a value lies beyond, if it does."""
        if not math.isfinite(y):
            return "none" if worse_below else "above"
        if y > self.y.high:
            return "above"
        return "below" if worse_below and y < self.y.low else ""

    def pixel(self, y: float, edge: str) -> float:
        """The pixel of a y value, or of its edge."""
        if edge == "none":
            return self.bottom - BAND / 2
        return {"above": self.top, "below": self.bottom}.get(edge) or self.y(y)


def lay_out(figure: Figure, *, width: int, height: int, top: float) -> Plot:
    """The canvas of a figure.

    Args:
        figure: What is drawn.
        width: Of the whole figure, in pixels.
        height: Of the whole figure, in pixels.
        top: Where the canvas begins, below title and legend.
    """
    left, right, bottom = float(LEFT), float(width - RIGHT), float(height - BOTTOM)
    bars = [series for series in figure.series if series.style == "bars"]
    labels = max((series.labels for series in bars), key=len, default=())
    categories = figure.x_names or (labels if bars else ())
    points = [
        (x, y) for series in figure.series for x, y in zip(xs(series), series.y, strict=False)
    ]
    points += [(x, y) for box in figure.boxes for x, y in zip(box.x, box.y, strict=True)]
    on_x = [x for x, _ in points]
    zero = left + ZERO_ROOM / 2 if figure.x_log and any(x == 0 for x in on_x) else None
    if bars or figure.x_names:
        count = max([len(categories), *(len(series.y) for series in bars), 1])
        x_scale = Scale(-0.5, count - 0.5, left, right)
    else:
        start = left + (ZERO_ROOM if zero is not None else 4)
        keep = figure.shaded or ()
        x_scale = fit([*on_x, *keep], log=figure.x_log, start=start, end=right - 4)
    worse_below = is_better_above(figure)
    y_scale = _y_scale(figure, points, start=bottom, end=top + BAND, bars=bool(bars))
    whole = not figure.x_log and all(float(x).is_integer() for x in on_x)
    plot = Plot(x_scale, y_scale, left, right, top, bottom, categories, zero, whole)
    if worse_below and any(plot.edge(y, worse_below=True) in ("below", "none") for _, y in points):
        raised = Scale(y_scale.low, y_scale.high, bottom - BAND, top + BAND, y_scale.log)
        plot = Plot(x_scale, raised, left, right, top, bottom, categories, zero, whole)
    return plot


def is_better_above(figure: Figure) -> bool:
    """Whether larger is better in a figure, so that the worse edge is the lower one."""
    return figure.direction == "maximize" and not figure.y_log


def _y_scale(
    figure: Figure,
    points: Sequence[tuple[float, float]],
    *,
    start: float,
    end: float,
    bars: bool,
) -> Scale:
    reach = [
        y + side * error
        for series in figure.series
        for y, error in zip(series.y, series.errors, strict=False)
        if math.isfinite(error)
        for side in (-1, 1)
    ]
    values = [y for _, y in points]
    # A few enormous error bars may be cut off; they never shape the axis alone.
    finite = [y for y in values if math.isfinite(y)]
    near = 2 * (max(finite) - min(finite)) + abs(max(finite, key=abs)) * 0.5 if finite else 0.0
    reach = [y for y in reach if finite and min(finite) - near <= y <= max(finite) + near]
    scale = fit(
        [*values, *reach],
        log=figure.y_log,
        start=start,
        end=end,
        keep=[y for _, y in figure.horizontal],
        clip="below" if is_better_above(figure) else "above",
        from_zero=bars or figure.y_from_zero,
    )
    least, most = AXES.get(figure.y_label, (-math.inf, math.inf))
    if figure.y_log or any(not least <= y <= most for y in finite):
        return scale
    return replace(scale, low=max(scale.low, least), high=min(scale.high, most))


def xs(series: Series) -> Sequence[float]:
    """A series' x values; 0, 1, 2... where it has none."""
    return series.x or range(len(series.y))


def points_of(series: Series, figure: Figure, plot: Plot) -> list[Point]:
    """Where a series' points lie. Those without a place on x are left out."""
    return list(_points(series, figure, plot))


def _points(series: Series, figure: Figure, plot: Plot) -> Iterator[Point]:
    worse_below = is_better_above(figure)
    tints = tints_of(figure)
    for index, (x, y) in enumerate(zip(xs(series), series.y, strict=False)):
        if not math.isfinite(x) or (figure.x_log and (x < 0 or (x == 0 and plot.zero is None))):
            continue
        place = plot.zero if figure.x_log and x == 0 and plot.zero is not None else plot.x(x)
        error = series.errors[index] if index < len(series.errors) else math.nan
        span = None
        if math.isfinite(error) and math.isfinite(y):
            span = (plot.y(y + error), plot.y(_lower(y - error, plot)))
        edge = plot.edge(y, worse_below=worse_below)
        title = _title(series, figure, index, x, y)
        tint = _tint(series, index, tints)
        yield Point(place, plot.pixel(y, edge), title, edge, span, tint)


def _tint(series: Series, index: int, tints: Tints | None) -> str:
    return tints.look(series.tints[index]) if tints and index < len(series.tints) else ""


def _lower(y: float, plot: Plot) -> float:
    return max(y, plot.y.low) if plot.y.log else y


def _title(series: Series, figure: Figure, index: int, x: float, y: float) -> str:
    label = series.labels[index] if index < len(series.labels) else ""
    if label:
        return label
    place = int(x) if float(x).is_integer() else -1
    at = figure.x_names[place] if 0 <= place < len(figure.x_names) else number(float(x))
    return f"{series.name}: {at}, {number(float(y))}"
