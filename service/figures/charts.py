"""Evidence figures as SVG, made in Python: the same picture on page, report and REST.

Pure functions of :class:`recipes.step.Figure`. Colours come from CSS classes, so that a
figure on a page follows its theme; a standalone file carries its own style sheet.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path

from recipes.step import Figure
from service.figures import marks
from service.figures.frame import frame, references
from service.figures.lettering import (
    LINE,
    legend,
    legend_marks,
    rows_of,
    title_lines,
    title_marks,
    tones,
)
from service.figures.markers import Point, text
from service.figures.plot import Plot, lay_out, points_of
from service.figures.ranking import height_of, lies, ranking
from service.figures.tints import key, tints_of

WIDE = (560, 320)
NARROW = (330, 280)
"""Width and height in CSS pixels: of a figure beside text, and of one on a phone. A title of
several lines, and bars that lie, make a figure higher."""

STYLE = """
svg{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;background:var(--surface)}
svg{--surface:#fff;--ink:#1b2330;--quiet:#5d6675;--line:#d9dee6;--train:#0072b2;--val:#d55e00}
svg{--good:#1a7f37;--bad:#b42318;--muted:#7d8794;--shade:#0072b21a}
svg{--tone0:#443983;--tone1:#1a8a6a;--tone2:#a06a00;--tone3:#b4441f;--tone4:#5f8d1a;--tone5:#2a788e}
@media (prefers-color-scheme:dark){svg{--surface:#161b22;--ink:#e8ecf2;--quiet:#a3adbb}
svg{--line:#333c48;--train:#56b4e9;--val:#e69f00;--good:#4ac26b;--bad:#ff8b7f;--muted:#8b95a3}
svg{--shade:#56b4e926}
svg{--tone0:#b8a6ff;--tone1:#4fd6a8;--tone2:#f2c14e;--tone3:#ff9e7a;--tone4:#b5de4f;--tone5:#6cc6e0}}
"""


def draw(
    figure: Figure,
    *,
    size: tuple[int, int] = WIDE,
    identifier: str | None = None,
    standalone: bool = False,
) -> str:
    """A figure as one ``<svg>`` element.

    Args:
        figure: What to draw. Non-finite values leave a gap in a line and a mark on the
            worse edge; values too large for the axis lie on that edge with an arrow.
        size: Width and height in CSS pixels.
        identifier: Prefix of the ids inside, unique on its page; the figure's name if None.
        standalone: Whether the file stands alone, and so needs its own style sheet.
    """
    width, height = size
    name = escape(identifier or figure.name)
    title = title_lines(figure, width)
    entries = legend(figure, width)
    head = LINE * (len(title) - 1)
    is_tinted = tints_of(figure) is not None
    rows = rows_of(entries) + is_tinted
    top = 46.0 + head + (LINE + 1) * rows
    if is_tinted:
        head += LINE + 1
    is_ranking = lies(figure, width)
    height = height_of(figure, top) if is_ranking else height + head
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" aria-labelledby="{name}-title {name}-desc" class="chart">',
        f'<title id="{name}-title">{text(figure.title)}</title>',
        f'<desc id="{name}-desc">{text(figure.summary)}</desc>',
    ]
    if standalone:
        parts.append(f"<style>{STYLE}{_rules()}</style>")
    parts.extend(title_marks(title))
    if is_tinted:
        parts.extend(key(figure, 32.0 + head - LINE - 1))
    parts.extend(legend_marks(figure, entries, 32.0 + head))
    if is_ranking:
        parts.extend(ranking(figure, width=width, height=height, top=top - 16))
    else:
        parts.extend(
            _plotted(
                figure, lay_out(figure, width=width, height=height, top=top), size=(width, height)
            )
        )
    parts.append("</svg>")
    return "".join(parts)


def _plotted(figure: Figure, plot: Plot, *, size: tuple[int, int]) -> Iterator[str]:
    width, height = size
    yield from frame(figure, plot, width=width, height=height)
    yield from marks.boxes(figure, plot)
    bars = [series for series in figure.series if series.style == "bars"]
    toned = tones(figure)
    num_points = sum(len(series.y) for series in figure.series if series.style == "line")
    is_crowded = len(figure.series) > marks.CROWD and num_points > marks.MARKED_POINTS
    drawn: list[Point] = []
    # What has whiskers comes last: it is what the figure is about.
    for place, series in sorted(enumerate(figure.series), key=lambda each: bool(each[1].errors)):
        if series.style == "bars":
            yield from marks.bars(series, plot, bars.index(series), len(bars))
            continue
        points = points_of(series, figure, plot)
        drawn.extend(points)
        if series.style == "dots":
            yield from marks.dots(series, points)
        else:
            yield from marks.line(series, points, toned.get(place, ""), is_crowded=is_crowded)
    yield from references(figure, plot, drawn)
    if not any(series.y for series in figure.series):
        middle = (plot.y.start + plot.y.end) / 2
        yield (
            f'<text class="c-label" x="{width / 2}" y="{middle}" text-anchor="middle">'
            "No points yet</text>"
        )


@cache
def _rules() -> str:
    """The style sheet that pages link; a standalone file carries it."""
    return (Path(__file__).parents[1] / "pages" / "assets" / "chart.css").read_text()
