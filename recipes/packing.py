"""Trials as jobs: together where the task's description says so, else a few at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from recipes.fusing import even_parts, groups
from recipes.step import Continued, JobPlan, StepContext, TrialPlan


def pack(
    context: StepContext,
    trials: Sequence[TrialPlan | Continued],
    settings: Mapping[str, Any],
    *,
    size: int,
) -> tuple[JobPlan, ...]:
    """Jobs of trials that share a run spec.

    Trials that train together are spread evenly over the slots, those of one structure to a
    job; those that have no company go a few to a job, one after another. That brings them out
    of order, so each keeps its place for its number: which numbers trials get depends neither
    on the slots nor on what was measured.

    Args:
        context: Its description says how many train together, its budget the slots.
        trials: In the order of their numbers.
        settings: RunSpec's fields but ``members`` and those that say how they are fused.
        size: Members of a job where trials train one by one.
    """
    fusing = context.description.fusing
    settings = {**settings, "memory_format": context.description.memory_format.name}
    params = [trial.params for trial in trials]
    alone: list[int] = []
    parts: list[tuple[list[int], Mapping[str, Any]]] = []
    for structure in groups(params, fusing):
        if not fusing.is_worth(len(structure)):
            alone += structure
        else:
            together = fusing.together(len(structure), context.budget.slots)
            # Of the whole structure: it must not depend on how the slots cut it.
            seeds = {trials[at].data_seed for at in structure}
            fused = {**settings, **fusing.of_run, "shares_order": len(seeds) == 1}
            parts += [(part, fused) for part in even_parts(structure, together)]
    alone.sort()
    parts += [(alone[at : at + size], settings) for at in range(0, len(alone), size)]
    return tuple(
        JobPlan(tuple(_placed(trials[at], at) for at in part), own) for part, own in parts
    )


def _placed(trial: TrialPlan | Continued, place: int) -> TrialPlan | Continued:
    return replace(trial, place=place) if isinstance(trial, TrialPlan) else trial
