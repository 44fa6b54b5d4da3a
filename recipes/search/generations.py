"""Generations of the fine search: proposed together, from completed ones alone."""

from __future__ import annotations

from collections.abc import Sequence

from recipes.search.proposals import propose
from recipes.search.round_plan import RoundPlan
from recipes.search.scoring import best_by_epoch, epochs_done, score
from recipes.search.tpe import Observation, propose_tpe
from recipes.seeds import derive_seed
from recipes.space import ParameterValue
from recipes.step import StepContext, StepKind, TrialResult
from recipes.trial import TrialPurpose, TrialState

PREFIX = "generation "


def generation_of(index: int) -> str:
    """The label of a generation's trials, from 1."""
    return f"{PREFIX}{index}"


def generations(trials: Sequence[TrialResult]) -> tuple[str, ...]:
    """The labels of the generations begun, in order."""
    labels = dict.fromkeys(trial.label for trial in trials if trial.label.startswith(PREFIX))
    return tuple(labels)


def next_size(context: StepContext, *, most: int) -> int:
    """How many settings the next generation has: the last one only what is left; 0 after it.

    Args:
        context: With the trials of the generations begun.
        most: Settings of all generations together.
    """
    begun = sum(trial.label.startswith(PREFIX) for trial in context.trials)
    options = context.options
    return max(0, min(options.generation, options.fine_trials, most - begun))


def propose_generation(
    context: StepContext, chosen: RoundPlan, *, index: int, count: int
) -> list[dict[str, ParameterValue]]:
    """The settings of a generation. The first is quasi-random: there is nothing to learn from.

    Args:
        context: With the trials of the round's completed generations.
        chosen: The round's box.
        index: From 1.
        count: How many settings.
    """
    kind = context.options.fine_proposals
    seed = derive_seed(context.seed, StepKind.FINE_SEARCH, context.round)
    if kind == "tpe" and index > 1:
        seen = _observations(context, chosen.epochs)
        return propose_tpe(
            chosen.space, seen, count=count, seed=derive_seed(seed, "generation", index)
        )
    stream = "random" if kind == "random" else "sobol"
    first = (index - 1) * context.options.generation
    return propose(stream, chosen.space, first=first, count=count, seed=seed)


def _observations(context: StepContext, epochs: int) -> list[Observation]:
    """The round's search trials, the discarded ones with what they had by epoch."""
    found = []
    for trial in context.trials:
        if trial.purpose is not TrialPurpose.SEARCH or trial.outcome.state is TrialState.FAILED:
            continue
        scored = score(trial, context.description)
        is_pruned = scored is not None and epochs_done(trial) < epochs
        found.append(
            Observation(
                trial.params,
                None if scored is None else scored.score,
                is_pruned=is_pruned,
                by_epoch=best_by_epoch(trial, context.description) if is_pruned else {},
            )
        )
    return found
