"""Confidence: what share of a code's findings with a score is right, learned from rows.

Isotonic regression a code (notes on diagnosis, section 4), with the counts that there are:
a rule has few scores, and a code tens of findings, nearly all of them right. So a code's
share at a score is first drawn towards the share of all findings, by as many findings as
``PRIOR_FINDINGS``: the mean of a beta posterior. Three right out of three say little.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.faults.rows import Row
from benchmarks.faults.store import ROOT

PRIOR_FINDINGS = 5.0
"""Findings that the share of all weighs as much as (ours)."""

FEWEST_FINDINGS = 3
"""Of a code, below which it has no curve and tells its rule's score (ours)."""

FILE = ROOT / "recipes/confidence_curves.py"

HEAD = '''"""What share of a code's findings is right, by their rule's score.

Written by ``python -m benchmarks.faults calibrate``; not by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CURVES: Mapping[str, tuple[tuple[float, float], ...]] = MappingProxyType(
    {
'''
TAIL = '''    }
)
"""(score, share that is right) by code; in the comment, of how many findings."""
'''


class Point(NamedTuple):
    """A code's findings with one score.

    Attributes:
        hits: Those that are right.
    """

    score: float
    hits: int
    n: int


Learned = Mapping[str, tuple[tuple[float, float], ...]]


def points(rows: Iterable[Row]) -> dict[str, list[Point]]:
    """Warnings and errors by code, then by rising score.

    Args:
        rows: Made with the rules' own scores (``recipes.confidence.raw_scores``).
    """
    found: defaultdict[tuple[str, float], list[bool]] = defaultdict(list)
    for row in rows:
        for each in row.answers:
            found[each.code, round(each.confidence, 3)].append(row.is_true(each.code))
    by_code: defaultdict[str, list[Point]] = defaultdict(list)
    for (code, score), right in sorted(found.items()):
        by_code[code].append(Point(score, sum(right), len(right)))
    return dict(by_code)


def learn(by_code: Mapping[str, list[Point]]) -> dict[str, tuple[tuple[float, float], ...]]:
    """A curve for every code with enough findings: shares that never fall as scores rise.

    Raises:
        ValueError: There is no finding at all.
    """
    total = sum(each.n for own in by_code.values() for each in own)
    if not total:
        raise ValueError("rows: no finding in them; carry out cells with faults first")
    share = sum(each.hits for own in by_code.values() for each in own) / total
    return {
        code: tuple(
            (each.score, round(value, 3))
            for each, value in zip(own, _rising(own, share), strict=True)
        )
        for code, own in sorted(by_code.items())
        if sum(each.n for each in own) >= FEWEST_FINDINGS
    }


def _rising(own: list[Point], share: float) -> list[float]:
    """Shares drawn towards that of all, then made to rise (pool adjacent violators)."""
    from sklearn.isotonic import IsotonicRegression

    weights = [each.n + PRIOR_FINDINGS for each in own]
    drawn = [
        (each.hits + PRIOR_FINDINGS * share) / weight
        for each, weight in zip(own, weights, strict=True)
    ]
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(
        [each.score for each in own], drawn, sample_weight=weights
    )
    return [float(value) for value in fitted]


def write(by_code: Mapping[str, list[Point]], file: Path = FILE) -> None:
    """Write the module that ``recipes.confidence`` reads, formatted as the others are."""
    lines = []
    for code, curve in learn(by_code).items():
        counts = ", ".join(f"{each.hits} of {each.n}" for each in by_code[code])
        inner = "".join(f"            ({score!r}, {value!r}),\n" for score, value in curve)
        own = f"({curve[0]!r},)" if len(curve) == 1 else f"(\n{inner}        )"
        lines.append(f'        # {counts}\n        "{code}": {own},\n')
    file.write_text(HEAD + "".join(lines) + TAIL)
