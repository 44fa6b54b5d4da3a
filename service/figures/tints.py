"""Colours that tell a value: the steps of a ramp, and the key that says what they mean."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from recipes.step import Figure
from service.figures.lettering import CHARACTER
from service.figures.markers import text
from service.figures.scales import fit
from service.views.format import number

NUM_TINTS = 8
"""Steps of the ramp: matplotlib's viridis at equal distances, readable without telling red
from green. Every point has an outline, so that its contrast does not hang on its colour."""

KEY_CELL = 12
"""Width of a step of the key, in pixels."""


@dataclass(frozen=True, slots=True)
class Tints:
    """The range of values that the ramp covers; values beyond it have its end's colour."""

    low: float
    high: float

    def look(self, value: float) -> str:
        """The class of a value's colour; empty for one that is no number."""
        if not math.isfinite(value):
            return ""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 1.0
        return f"c-tint{min(max(int(share * NUM_TINTS), 0), NUM_TINTS - 1)}"


def tints_of(figure: Figure) -> Tints | None:
    """The ramp of a figure; None where nothing is told by colour.

    A few enormous values do not flatten the others into one colour.
    """
    values = [float(v) for series in figure.series for v in series.tints if math.isfinite(v)]
    if not values:
        return None
    scale = fit(values, log=False, start=0.0, end=1.0, clip="above")
    scale = fit(
        [v for v in values if v <= scale.high], log=False, start=0.0, end=1.0, clip="below"
    )
    shown = [v for v in values if scale.low <= v <= scale.high]
    return Tints(min(shown), max(shown))


def key(figure: Figure, y: float) -> Iterator[str]:
    """What the colours mean: the label, both ends of the ramp, and its steps between them."""
    tints = tints_of(figure)
    if tints is None:
        return
    first = f"{figure.tint_label} {number(tints.low, 3)}"
    start = 8 + CHARACTER * len(first) + 8
    yield f'<text class="c-legend" x="8" y="{y + 4:.1f}">{text(first)}</text>'
    for place in range(NUM_TINTS):
        yield (
            f'<rect class="c-cell c-tint{place}" x="{start + place * KEY_CELL:.1f}"'
            f' y="{y - 5:.1f}" width="{KEY_CELL}" height="10"/>'
        )
    end = start + NUM_TINTS * KEY_CELL + 8
    yield (
        f'<text class="c-legend" x="{end:.1f}" y="{y + 4:.1f}">'
        f"{text(number(tints.high, 3))}</text>"
    )
