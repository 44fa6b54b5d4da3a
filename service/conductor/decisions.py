"""What a study does next: decided by the recipe, with no database in sight."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from recipes.errors import InvalidSetting
from recipes.plan import Next
from recipes.search.memory import SearchMemory, remember
from recipes.space import SearchSpace
from recipes.step import Continued, StepPlan, StepReport
from recipes.study_space import study_space
from recipes.trial import TrialState
from service.conductor.earlier_trials import SEARCHES
from service.conductor.recipe import Recipe
from service.conductor.snapshot import Snapshot, StepSnapshot

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Begin:
    """The described study starts: its space is settled, and what comes first is known."""

    space: SearchSpace
    following: Next


@dataclass(frozen=True, slots=True)
class GoOn:
    """No step is under way, because a person decided something: what follows is known."""

    following: Next


@dataclass(frozen=True, slots=True)
class PlanJobs:
    """The current step wants these jobs run, and these trials that wait to end."""

    step: StepSnapshot
    plan: StepPlan


@dataclass(frozen=True, slots=True)
class Judge:
    """The current step has its verdict, and what follows is known.

    ``discard`` names trials that still wait at a rung: nothing will take them on. ``memory``
    is what later steps need to know of a search's trials.
    """

    step: StepSnapshot
    report: StepReport
    following: Next
    discard: Sequence[int]
    memory: SearchMemory | None


@dataclass(frozen=True, slots=True)
class Fail:
    """The study cannot go on."""

    reason: str


Decision = Begin | GoOn | PlanJobs | Judge | Fail


def decide(snapshot: Snapshot, recipe: Recipe) -> Decision:
    """What the study does next: the same for the same snapshot, however often asked.

    A recipe that raises would raise again at every look, so the study fails and says why
    rather than stand still for ever.
    """
    try:
        if snapshot.space is None:
            return _begin(snapshot, recipe)
        if snapshot.step is None:
            return GoOn(recipe.next_step(snapshot.config, snapshot.history))
        return _step(snapshot, snapshot.step, recipe)
    except InvalidSetting as error:
        return Fail(str(error))
    except Exception as error:
        what = "the study" if snapshot.step is None else f"step {snapshot.step.number}"
        log.exception("study %s: %s could not be decided", snapshot.uid, what)
        return Fail(f"{what} could not be decided: {type(error).__name__}: {error}")


def _begin(snapshot: Snapshot, recipe: Recipe) -> Begin:
    space = study_space(snapshot.description, snapshot.config)
    return Begin(space, recipe.next_step(snapshot.config, snapshot.history))


def _step(snapshot: Snapshot, step: StepSnapshot, recipe: Recipe) -> PlanJobs | Judge:
    context = snapshot.context(step)
    chosen = recipe.steps[step.number]
    plan = chosen.plan(context)
    if plan.jobs or plan.discard:
        _check_plan(plan, step)
        return PlanJobs(step, plan)
    report = chosen.judge(context)
    following = recipe.next_step(snapshot.config, [*snapshot.history, report])
    memory = remember(step.trials, snapshot.description) if step.number in SEARCHES else None
    return Judge(step, report, following, discard=sorted(_waiting(step)), memory=memory)


def _waiting(step: StepSnapshot) -> set[int]:
    return {trial.number for trial in step.trials if trial.outcome.state is TrialState.WAITING}


def _check_plan(plan: StepPlan, step: StepSnapshot) -> None:
    """Refuse a plan that would never come to an end: it names trials that do not wait."""
    members = [trial for job in plan.jobs for trial in job.trials]
    named = [each.number for each in members if isinstance(each, Continued)]
    named += plan.discard
    strangers = set(named) - _waiting(step)
    if strangers or len(named) != len(set(named)):
        raise ValueError(
            f"the plan continues or discards {sorted(named)}, of which each must wait at a"
            f" rung and stand there once; {sorted(_waiting(step))} wait"
        )
