"""From a rule's score to the confidence that is told: the one place where that is done.

A rule scores its finding between 0 and 1 by its evidence. What share of findings with such
a score is right is another matter, and is looked up here: a curve a code, learned on the
calibration half of the fault bench (``recipes.confidence_curves``; notes on diagnosis,
section 4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from recipes.confidence_curves import CURVES
from recipes.finding import Finding

Curve = Sequence[tuple[float, float]]
"""(score, share that is right), by rising score; both between 0 and 1, neither ever falls."""

NOTHING: tuple[float, float] = (0.0, 0.0)
"""Where every curve begins: under the lowest score it was learned from, nothing is known, and
hints there stay hints."""

_in_use: ContextVar[Mapping[str, Curve]] = ContextVar("curves", default=CURVES)


def confidence(code: str, score: float, curves: Mapping[str, Curve] = CURVES) -> float:
    """The share of right findings at a score, along the straight lines between a curve's points.

    From 0 up to the first of them, and level after the last.

    Args:
        code: The finding's. One without a curve has its score as it is.
        score: The rule's own, 0 to 1.
        curves: By code.
    """
    curve = curves.get(code)
    if curve is None:
        return score
    scores, shares = zip(NOTHING, *curve, strict=True)
    return float(np.interp(score, scores, shares))


def with_confidence(finding: Finding) -> Finding:
    """The finding with the confidence in place of its rule's score."""
    told = confidence(finding.code, finding.confidence, _in_use.get())
    if told == finding.confidence:
        return finding
    return finding.model_copy(update={"confidence": told})


@contextmanager
def raw_scores() -> Iterator[None]:
    """Within it findings have their rules' own scores: what curves are learned from."""
    token = _in_use.set({})
    try:
        yield
    finally:
        _in_use.reset(token)
