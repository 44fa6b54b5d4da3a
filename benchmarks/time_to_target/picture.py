"""A drawing of the best validation accuracy so far against time, a panel for each task."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from benchmarks.time_to_target.section import TITLES, Runs
from benchmarks.time_to_target.tasks import SEARCHED

COLOURS = {"sevenstep": "#1f5fbf", "optuna": "#c2571a", "ray": "#2e8b57", "random": "#777777"}
WIDTH, HEIGHT, MARGIN, LEGEND = 420, 260, 48, 60
MOMENTS = 200


def picture(tasks: Mapping[str, Runs]) -> str:
    """SVG: a median's line and a band from the first to the third quartile for each tool."""
    rows = (len(tasks) + 1) // 2
    whole = f'viewBox="0 0 {2 * WIDTH} {rows * HEIGHT + LEGEND}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {whole} font-family="sans-serif">']
    parts.append('<rect width="100%" height="100%" fill="white"/>')
    for place, (task, runs) in enumerate(tasks.items()):
        at = f"translate({place % 2 * WIDTH} {place // 2 * HEIGHT})"
        parts.append(f'<g transform="{at}">{_panel(task, runs)}</g>')
    for place, (tool, title) in enumerate(TITLES.items()):
        x, y = 24 + place % 2 * WIDTH, rows * HEIGHT + 18 + place // 2 * 22
        parts.append(f'<rect x="{x}" y="{y - 9}" width="18" height="4" fill="{COLOURS[tool]}"/>')
        parts.append(f'<text x="{x + 26}" y="{y - 3}" font-size="12">{escape(title)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(task: str, runs: Runs) -> str:
    seconds = SEARCHED[task].seconds
    moments = [seconds * each / MOMENTS for each in range(MOMENTS + 1)]
    bands = {tool: _bands(cells, moments) for tool, cells in runs.items() if cells}
    tops = [value for band in bands.values() for row in band if row for value in row]
    if not tops:
        return ""
    top = max(tops)
    floor = top - 0.12  # the last points are what tools differ in

    def x(moment: float) -> float:
        return MARGIN + (WIDTH - MARGIN - 16) * moment / seconds

    def y(value: float) -> float:
        share = (max(value, floor) - floor) / (top - floor)
        return HEIGHT - MARGIN + 8 - (HEIGHT - MARGIN - 26) * share

    parts = [f'<text x="{MARGIN}" y="20" font-size="14">{escape(task)}</text>']
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        value, moment = floor + share * (top - floor), share * seconds
        parts.append(
            f'<text x="{MARGIN - 6}" y="{y(value) + 4:.1f}" font-size="10"'
            f' text-anchor="end">{100 * value:.1f} %</text>'
        )
        parts.append(
            f'<text x="{x(moment):.1f}" y="{HEIGHT - 18}" font-size="10"'
            f' text-anchor="middle">{moment:.0f} s</text>'
        )
        parts.append(
            f'<line x1="{MARGIN}" x2="{WIDTH - 16}" y1="{y(value):.1f}" y2="{y(value):.1f}"'
            ' stroke="#ddd"/>'
        )
    for tool, band in bands.items():
        known = [(moment, row) for moment, row in zip(moments, band, strict=True) if row]
        if not known:
            continue
        outline = [(x(moment), y(row[2])) for moment, row in known]
        outline += [(x(moment), y(row[0])) for moment, row in reversed(known)]
        middle = [(x(moment), y(row[1])) for moment, row in known]
        colour = COLOURS[tool]
        parts.append(f'<polygon points="{_points(outline)}" fill="{colour}" opacity="0.15"/>')
        parts.append(
            f'<polyline points="{_points(middle)}" fill="none" stroke="{colour}"'
            ' stroke-width="1.8"/>'
        )
    return "".join(parts)


def _bands(
    cells: Sequence[Mapping[str, Any]], moments: Sequence[float]
) -> list[tuple[float, float, float] | None]:
    """First quartile, median and third at each moment; None until all runs know something."""
    found: list[tuple[float, float, float] | None] = []
    for moment in moments:
        known = [_known(cell["rises"], moment) for cell in cells]
        values = [each for each in known if each is not None]
        if len(values) < len(known):
            found.append(None)
        elif len(values) == 1:
            found.append((values[0], values[0], values[0]))
        else:
            low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
            found.append((low, middle, high))
    return found


def _known(rises: Sequence[Sequence[float]], moment: float) -> float | None:
    return max((value for seconds, value in rises if seconds <= moment), default=None)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
