"""Stored JSON as values, parsed once: equal texts are one value, and values never change.

A decision reads every outcome of a search and every report of a study; parsing them anew at
each look would cost more than all else a look does.
"""

from __future__ import annotations

from functools import lru_cache

from recipes.description import TaskDescription
from recipes.outcome import MemberOutcome
from recipes.result import Result
from recipes.search.scoring import Scored, score
from recipes.step import StepReport, TrialResult
from recipes.study import StudyConfig
from recipes.trial import TrialPurpose

OUTCOMES_KEPT = 2048
"""More than a large study's trials, at about 10 kB each."""
REPORTS_KEPT = 128
"""Reports carry their figures' data, up to some hundred kB."""


@lru_cache(OUTCOMES_KEPT)
def outcome_of(text: str) -> MemberOutcome:
    """How a trial ended, or how far it came."""
    return MemberOutcome.model_validate_json(text)


@lru_cache(REPORTS_KEPT)
def report_of(text: str) -> StepReport:
    """What a step concluded."""
    return StepReport.model_validate_json(text)


@lru_cache(REPORTS_KEPT)
def result_of(text: str) -> Result:
    """What a study concluded so far."""
    return Result.model_validate_json(text)


@lru_cache(REPORTS_KEPT)
def config_of(text: str) -> StudyConfig:
    """What a person asked for."""
    return StudyConfig.model_validate_json(text)


@lru_cache(REPORTS_KEPT)
def description_of(text: str) -> TaskDescription:
    """What was measured of a task."""
    return TaskDescription.model_validate_json(text)


def scored(outcome: MemberOutcome, description: TaskDescription) -> Scored | None:
    """The task's objective on ``val`` at a trial's best epoch; None when it has no such value."""
    trial = TrialResult(outcome.trial, TrialPurpose.SEARCH, "", {}, outcome)
    return score(trial, description)
