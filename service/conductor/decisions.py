"""What a study does next: decided by the recipe, with no database in sight."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from recipes.errors import InvalidSetting
from recipes.plan import Next
from recipes.space import SearchSpace
from recipes.step import StepPlan, StepReport
from recipes.study_space import study_space
from service.conductor.recipe import Recipe
from service.conductor.snapshot import Snapshot, StepSnapshot

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Begin:
    """The described study starts: its space is settled, and what comes first is known."""

    space: SearchSpace
    following: Next


@dataclass(frozen=True, slots=True)
class PlanJobs:
    """The current step wants these jobs run."""

    step: StepSnapshot
    plan: StepPlan


@dataclass(frozen=True, slots=True)
class Judge:
    """The current step has its verdict, and what follows is known."""

    step: StepSnapshot
    report: StepReport
    following: Next


@dataclass(frozen=True, slots=True)
class Fail:
    """The study cannot go on."""

    reason: str


Decision = Begin | PlanJobs | Judge | Fail


def decide(snapshot: Snapshot, recipe: Recipe) -> Decision:
    """What the study does next: the same for the same snapshot, however often asked.

    A recipe that raises would raise again at every look, so the study fails and says why
    rather than stand still for ever.
    """
    try:
        if snapshot.step is None:
            return _begin(snapshot, recipe)
        return _step(snapshot, snapshot.step, recipe)
    except InvalidSetting as error:
        return Fail(str(error))
    except Exception as error:
        what = "the study" if snapshot.step is None else f"step {snapshot.step.number}"
        log.exception("study %s: %s could not be decided", snapshot.uid, what)
        return Fail(f"{what} could not be decided: {type(error).__name__}: {error}")


def _begin(snapshot: Snapshot, recipe: Recipe) -> Begin:
    space = study_space(snapshot.description, snapshot.config)
    return Begin(space, recipe.next_step(snapshot.config.steps, snapshot.history))


def _step(snapshot: Snapshot, step: StepSnapshot, recipe: Recipe) -> PlanJobs | Judge:
    context = snapshot.context(step)
    chosen = recipe.steps[step.number]
    plan = chosen.plan(context)
    if plan.jobs:
        return PlanJobs(step, plan)
    report = chosen.judge(context)
    history = [*snapshot.history, report]
    return Judge(step, report, recipe.next_step(snapshot.config.steps, history))
