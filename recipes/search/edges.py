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

Side = Literal["low", "high"]


@dataclass(frozen=True, slots=True)
class Edge:
    """The best values of one hyperparameter lie at one end of its range.

    Attributes:
        value: That of the best trial at this end.
        is_best: Whether that is the best of all trials; else two of the best three lie here.
        range: What was searched.
        wider: The range to search next; None where it is hard.
    """

    name: str
    side: Side
    value: float
    is_best: bool
    range: Float | Int
    wider: Float | Int | None


def edges(
    space: SearchSpace,
    ranked: Sequence[Scored],
    relevance: Mapping[str, Relevance],
    description: TaskDescription,
) -> list[Edge]:
    """Every hyperparameter whose best values lie at an edge, beyond noise.

    A hyperparameter that does not matter has no edge, nor has weight decay's 0, nor a range that
    starts at 0 below it. Nor is it one while a trial well inside the range is the best, or cannot
    be told apart from it after as many epochs as both had: then the edge is where luck put it.

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
        if side is None or _has_nothing_beyond(distribution, name, side):
            continue
        if _inside_is_as_good(distribution, name, side, ranked, description):
            continue
        first = next(
            each for each in ranked if _is_at(side, _coordinate(distribution, name, each))
        )
        found.append(
            Edge(
                name=name,
                side=side,
                value=float(first.trial.params[name]),
                is_best=first is ranked[0],
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


def _is_at(side: Side, unit: float | None) -> bool:
    """Whether a coordinate lies at that end of the range."""
    if unit is None:
        return False
    return unit <= OUTER_SHARE if side == "low" else unit >= 1 - OUTER_SHARE


def _side(distribution: Float | Int, name: str, ranked: Sequence[Scored]) -> Side | None:
    top = [_coordinate(distribution, name, each) for each in ranked[:TOP]]
    at_low = [_is_at("low", unit) for unit in top]
    at_high = [_is_at("high", unit) for unit in top]
    if at_high[0] or (sum(at_high) >= AT_EDGE_OF_TOP and not at_low[0]):
        return "high"
    if at_low[0] or sum(at_low) >= AT_EDGE_OF_TOP:
        return "low"
    return None


def _has_nothing_beyond(distribution: Float | Int, name: str, side: Side) -> bool:
    """Whether no value lies beyond that end, as none below a dropout of 0, be it hard or not."""
    soft = distribution.model_copy(update={"hard": False})
    return within_limits(name, widened(soft, side), soft) is None


def _inside_is_as_good(
    distribution: Float | Int,
    name: str,
    side: Side,
    ranked: Sequence[Scored],
    description: TaskDescription,
) -> bool:
    for each in ranked:
        unit = _coordinate(distribution, name, each)
        if unit is None or not (unit >= INNER_SHARE if side == "low" else unit <= 1 - INNER_SHARE):
            continue
        if each is ranked[0]:
            return True
        best = score(ranked[0].trial, description, up_to=each.epochs)
        if best is None:
            continue
        noise = paired_standard_error(best.evaluation, each.evaluation, description.metric)
        if best.score - each.score <= TOLD_APART * noise:
            return True
    return False
