"""The best setting, and settings in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recipes.description import TaskDescription
from recipes.result import Best, Result
from recipes.search.scoring import Scored
from recipes.space import Float, Int, ParameterValue, SearchSpace
from recipes.words import listing, number, rate

ON_A_LOG_SCALE = ("lr", "weight_decay")


def best_of(
    ranked: Sequence[Scored], description: TaskDescription, *, left_out: int = 0
) -> Result | None:
    """The best single trial as a study's result so far; None when none has a value.

    Args:
        ranked: Trials, the best first.
        description: Says which metric decides.
        left_out: Candidates that are not among them, none of which is better.
    """
    if not ranked:
        return None
    best = ranked[0]
    return Result(
        best=Best(
            trial=best.number,
            params=dict(best.trial.params),
            metric=description.metric,
            direction=description.direction,
            value=best.value,
            standard_error=best.standard_error,
            n=best.n,
            num_candidates=len(ranked) + left_out,
            epoch=best.epoch,
            epochs=best.epochs,
        )
    )


def setting(params: Mapping[str, ParameterValue], space: SearchSpace | None = None) -> str:
    """``lr 3.2e-2, weight_decay 1e-4 and hidden 64``; of a space only its own names."""
    names = [name for name in (params if space is None else space.root) if name in params]
    if not names:
        return "no hyperparameter searched"
    return listing([f"{name} {value_text(name, params[name])}" for name in names], most=8)


def value_text(name: str, value: ParameterValue) -> str:
    """One hyperparameter's value as people write it."""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return rate(value) if name in ON_A_LOG_SCALE else number(value)


def range_text(distribution: Float | Int) -> str:
    """``1e-3 to 1e-1``, ``32 to 256``."""
    if isinstance(distribution, Int):
        return f"{distribution.low} to {distribution.high}"
    text = rate if distribution.log else number
    return f"{text(distribution.low)} to {text(distribution.high)}"
