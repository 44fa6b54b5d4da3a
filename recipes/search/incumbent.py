"""The incumbent: the user's present setting, which runs whatever happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recipes.search.runs import search_trial
from recipes.space import ParameterValue
from recipes.step import StepContext, TrialPlan, TrialResult

LABEL = "incumbent"


def incumbent_trial(context: StepContext, *, extras: Mapping[str, ParameterValue]) -> TrialPlan:
    """It as a search trial. What it leaves out stands at the middle of its range."""
    return search_trial(context, context.incumbent, label=LABEL, extras=extras)


def is_incumbent(trial: TrialResult) -> bool:
    """Whether a trial is the incumbent's run in a search."""
    return trial.label == LABEL


def incumbent_number(trials: Sequence[TrialResult]) -> int | None:
    """The incumbent's run among them; None when it is not there."""
    return next((each.number for each in trials if is_incumbent(each)), None)
