"""The numbers of a figure as a table, for those who cannot see it, or want to copy them."""

from __future__ import annotations

from dataclasses import dataclass

from recipes.step import Figure, Series
from service.figures.plot import xs
from service.views.format import number

MAX_ROWS = 120
"""Most rows; the points of longer series are thinned evenly, first and last kept."""


@dataclass(frozen=True, slots=True)
class FigureTable:
    """Columns and rows, as text. ``left_out`` counts the points that are not shown."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int


def figure_table(figure: Figure) -> FigureTable:
    """A row for each point: its series, where it stands, its value, and its error or label."""
    has_errors = any(series.errors for series in figure.series)
    has_labels = any(series.labels for series in figure.series)
    columns = ["series", figure.x_label, figure.y_label]
    columns += ["±"] * has_errors + ["what it is"] * has_labels
    each = max(2, MAX_ROWS // max(len(figure.series), 1))
    rows: list[tuple[str, ...]] = []
    points = 0
    for series in figure.series:
        count = min(len(xs(series)), len(series.y))
        points += count
        for index in _kept(count, each):
            row = [series.name, _place(figure, series, index), number(float(series.y[index]))]
            if has_errors:
                error = series.errors[index] if index < len(series.errors) else None
                row.append(number(None if error is None else float(error), 2))
            if has_labels:
                row.append(series.labels[index] if index < len(series.labels) else "")
            rows.append(tuple(row))
    return FigureTable(tuple(columns), tuple(rows), points - len(rows))


def _kept(count: int, most: int) -> list[int]:
    if count <= most:
        return list(range(count))
    return sorted({round(place * (count - 1) / (most - 1)) for place in range(most)})


def _place(figure: Figure, series: Series, index: int) -> str:
    x = float(xs(series)[index])
    names = figure.x_names or (series.labels if series.style == "bars" else ())
    if names and x.is_integer() and 0 <= x < len(names):
        return names[int(x)]
    return number(int(x) if x.is_integer() and abs(x) < 1e9 else x)
