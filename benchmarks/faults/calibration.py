"""Confidence: what share of a code's findings with a score is right, learned from rows.

Isotonic regression a code (notes on diagnosis, section 4), with the counts that there are: a
rule has few scores, and a half of the bench has few base tasks. Findings of one task are
not independent (sixteen that are right for one reason tell as much as one), so each task has
one vote at a score: the share of its findings that are right. What all findings' tasks vote
is a beta posterior's mean with Jeffreys' prior (Brown, Cai and DasGupta 2001), and a code's
votes are drawn towards that, by as many as ``PRIOR_VOTES``. Nine tasks out of nine leave
room for a tenth that is otherwise.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.faults.rows import Row
from benchmarks.faults.store import ROOT

JEFFREYS = 0.5
"""Votes for and against that all findings' votes begin with."""

PRIOR_VOTES = 5.0
"""Tasks that the share of all weighs as much as in a code's (ours)."""

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
        votes: Sum over base tasks of the share of their findings that are right.
        tasks: Base tasks with such a finding.
    """

    score: float
    hits: int
    n: int
    votes: float
    tasks: int


Tasks = defaultdict[str, list[bool]]
"""Whether each finding was right, by base task."""


class Scored(NamedTuple):
    """Warnings and errors, and how often tasks vote that one is right.

    Attributes:
        codes: Each code's findings, by rising score.
        share: That any finding is right: tasks' votes over all findings, with Jeffreys' prior.
    """

    codes: Mapping[str, list[Point]]
    share: float


def scored(rows: Iterable[Row]) -> Scored:
    """Count the warnings and errors that were right.

    Args:
        rows: Made with the rules' own scores (``recipes.confidence.raw_scores``).

    Raises:
        ValueError: There is no finding at all.
    """
    found: defaultdict[tuple[str, float], Tasks] = defaultdict(lambda: defaultdict(list))
    everything: Tasks = defaultdict(list)
    for row in rows:
        for each in row.answers:
            right = row.is_true(each.code)
            found[each.code, round(each.confidence, 3)][row.task].append(right)
            everything[row.task].append(right)
    if not everything:
        raise ValueError("rows: no finding in them; carry out cells with faults first")
    codes: defaultdict[str, list[Point]] = defaultdict(list)
    for (code, score), tasks in sorted(found.items()):
        codes[code].append(_point(score, tasks))
    total = _point(math.nan, everything)
    return Scored(dict(codes), (total.votes + JEFFREYS) / (total.tasks + 2 * JEFFREYS))


def _point(score: float, tasks: Tasks) -> Point:
    return Point(
        score,
        hits=sum(map(sum, tasks.values())),
        n=sum(map(len, tasks.values())),
        votes=sum(sum(right) / len(right) for right in tasks.values()),
        tasks=len(tasks),
    )


def learn(findings: Scored) -> dict[str, tuple[tuple[float, float], ...]]:
    """A curve for every code with enough findings: shares that never fall as scores rise."""
    return {
        code: tuple(
            (each.score, round(value, 3))
            for each, value in zip(own, _rising(own, findings.share), strict=True)
        )
        for code, own in sorted(findings.codes.items())
        if sum(each.n for each in own) >= FEWEST_FINDINGS
    }


def _rising(own: list[Point], share: float) -> list[float]:
    """Shares drawn towards that of all, then made to rise (pool adjacent violators)."""
    from sklearn.isotonic import IsotonicRegression

    weights = [each.tasks + PRIOR_VOTES for each in own]
    drawn = [
        (each.votes + PRIOR_VOTES * share) / weight
        for each, weight in zip(own, weights, strict=True)
    ]
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(
        [each.score for each in own], drawn, sample_weight=weights
    )
    return [float(value) for value in fitted]


def write(findings: Scored, file: Path = FILE) -> None:
    """Write the module that ``recipes.confidence`` reads, formatted as the others are."""
    lines = []
    for code, curve in learn(findings).items():
        counts = ", ".join(f"{each.hits} of {each.n}" for each in findings.codes[code])
        inner = "".join(f"            ({score!r}, {value!r}),\n" for score, value in curve)
        own = f"({curve[0]!r},)" if len(curve) == 1 else f"(\n{inner}        )"
        lines.append(f'        # {counts}\n        "{code}": {own},\n')
    file.write_text(HEAD + "".join(lines) + TAIL)
