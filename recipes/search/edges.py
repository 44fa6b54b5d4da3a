"""Whether the best lies at the edge of its range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from recipes.description import TaskDescription
from recipes.search.cube import ZERO_SHARE, is_atom, to_unit
from recipes.search.region import widened, within_limits
from recipes.search.relevance import Relevance, Sensitivity
from recipes.search.scoring import Scored, paired_standard_error, score
from recipes.space import Categorical, Float, Int, SearchSpace

OUTER_SHARE = 0.10
"""A value in the outer tenth of its range, on the range's own scale, lies at the edge
(notes on diagnosis, row 44)."""

INNER_SHARE = 0.25
"""Trials at least this far from the edge stand for the inside of the range."""

TOLD_APART = 2.0
"""Standard errors of a difference that is more than chance (two-sided 5 %)."""

TOP = 3
AT_EDGE_OF_TOP = 2
"""The best at the edge, or this many of the best three (notes on diagnosis, row 44)."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The best values of one hyperparameter lie at one end of its range.

    Attributes:
        value: The best trial's.
        range: What was searched.
        wider: The range to search next; None where it may or can not grow.
    """

    name: str
    side: Literal["low", "high"]
    value: float
    range: Float | Int
    wider: Float | Int | None


def edges(
    space: SearchSpace,
    ranked: Sequence[Scored],
    relevance: Mapping[str, Relevance],
    description: TaskDescription,
) -> list[Edge]:
    """Every hyperparameter whose best values lie at an edge, beyond noise.

    A hyperparameter that does not matter has no edge, nor has weight decay's 0. Nor is it
    one while a trial well inside the range cannot be told apart from the best after as many
    epochs as both had: then the edge is where luck put it.

    Args:
        space: What was searched.
        ranked: Trials with a value, the best first.
        relevance: What each name mattered.
        description: Says which metric decides.
    """
    found = []
    for name, distribution in space.root.items():
        if isinstance(distribution, Categorical) or not ranked:
            continue
        known = relevance.get(name)
        if known is not None and known.sensitivity is Sensitivity.INSENSITIVE:
            continue
        side = _side(distribution, name, ranked)
        if side is None or _inside_is_as_good(distribution, name, side, ranked, description):
            continue
        found.append(
            Edge(
                name=name,
                side=side,
                value=float(ranked[0].trial.params[name]),
                range=distribution,
                wider=within_limits(name, widened(distribution, side), distribution),
            )
        )
    return found


def _coordinate(distribution: Float | Int, name: str, scored: Scored) -> float | None:
    """Where a trial lies in a range, 0 to 1 (its atom left out: None)."""
    value = scored.trial.params[name]
    if is_atom(distribution, value):
        return None
    unit = to_unit(distribution, value)
    if isinstance(distribution, Float) and distribution.zero:
        unit = (unit - ZERO_SHARE) / (1 - ZERO_SHARE)
    return unit


def _side(
    distribution: Float | Int, name: str, ranked: Sequence[Scored]
) -> Literal["low", "high"] | None:
    top = [_coordinate(distribution, name, each) for each in ranked[:TOP]]
    at_low = [unit is not None and unit <= OUTER_SHARE for unit in top]
    at_high = [unit is not None and unit >= 1 - OUTER_SHARE for unit in top]
    if at_high[0] or (sum(at_high) >= AT_EDGE_OF_TOP and not at_low[0]):
        return "high"
    if at_low[0] or sum(at_low) >= AT_EDGE_OF_TOP:
        return "low"
    return None


def _inside_is_as_good(
    distribution: Float | Int,
    name: str,
    side: str,
    ranked: Sequence[Scored],
    description: TaskDescription,
) -> bool:
    for each in ranked[1:]:
        unit = _coordinate(distribution, name, each)
        if unit is None or not (unit >= INNER_SHARE if side == "low" else unit <= 1 - INNER_SHARE):
            continue
        best = score(ranked[0].trial, description, up_to=each.epochs)
        if best is None:
            continue
        noise = paired_standard_error(best.evaluation, each.evaluation, description.metric)
        if best.score - each.score <= TOLD_APART * noise:
            return True
    return False
