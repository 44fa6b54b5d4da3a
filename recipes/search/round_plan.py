"""What the fine search of one round does: its box, what is fixed, how long it trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field

from recipes.search.early_discard import discards_early
from recipes.search.halving import epochs_per_trial
from recipes.search.region import coarse_space
from recipes.space import ParameterValue, SearchSpace
from recipes.step import StepContext
from recipes.value import Value

DEFAULT_ROUNDS = 3
"""Without a budget at most, with one the number its share is spread over (design.md 4)."""

FEWEST_REPEATED = (2, 1)
"""Settings to repeat and new seeds for each, at the least: with fewer runs a round could not
tell whether its change helped."""

ENOUGH_REPEATED = (2, 2)
"""What a budget must still pay after another generation: one seed's luck is as large as most
gains."""


class RoundPlan(Value):
    """A round's fine search. The loop changes one thing of it at a time.

    Attributes:
        space: The box that is searched.
        fixed: Hyperparameters of the space that no longer vary.
        extras: The trainer's own knobs that the loop has set: schedule, warm-up, clipping.
        epochs: Of a trial that is not discarded early.
        anchors: Settings that are tried first, for they are what the change is about.
    """

    space: SearchSpace
    fixed: dict[str, ParameterValue] = Field(default_factory=dict)
    extras: dict[str, ParameterValue] = Field(default_factory=dict)
    epochs: int = Field(ge=1)
    anchors: tuple[dict[str, ParameterValue], ...] = ()


class RoundCost(NamedTuple):
    """What a round runs: new trials, and epochs of single trials, all slots together."""

    trials: int
    epochs: float


def least_cost(context: StepContext, plan: RoundPlan) -> RoundCost:
    """What a round costs at the least: a generation and the fewest repeats.

    Args:
        context: Its options say how large a generation is.
        plan: The round's.
    """
    size = min(context.options.generation, context.options.fine_trials)
    settings, seeds = FEWEST_REPEATED
    repeats = settings * seeds
    early = discards_early(context, plan.extras)
    per_trial = epochs_per_trial(plan.epochs, early_discard=early)
    return RoundCost(size + repeats, size * per_trial + repeats * plan.epochs)


def round_plan(context: StepContext) -> RoundPlan:
    """The plan of the context's round: the loop's decision, in round 1 the box of step 4."""
    stored = context.learned.get("round_plan")
    if stored is not None and context.round > 1:
        return RoundPlan.model_validate(stored)
    return first_plan(context)


def first_plan(context: StepContext) -> RoundPlan:
    """Round 1's: the box of step 4; without a step 4, around step 3's interval."""
    learned: Mapping[str, Any] = context.learned
    box = learned.get("fine_space")
    space = (
        coarse_space(context.space, learned) if box is None else SearchSpace.model_validate(box)
    )
    return RoundPlan(
        space=space, fixed=learned.get("fine_fixed") or {}, epochs=context.options.fine_epochs
    )
