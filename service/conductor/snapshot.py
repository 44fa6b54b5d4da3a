"""A study as the conductor reads it: all that one decision needs, at one moment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from recipes.description import TaskDescription
from recipes.outcome import MemberOutcome
from recipes.space import SearchSpace
from recipes.step import StepContext, StepReport, StepState, TrialResult
from recipes.study import StudyConfig, StudyState
from service.database.models import StepRun, Trial
from service.repositories import curves, step_runs, studies, trials
from service.repositories.studies import ACTIVE


@dataclass(frozen=True, slots=True)
class StepSnapshot:
    """The step run that is under way, all of its trials so far ended."""

    id: int
    number: int
    round: int
    pass_number: int
    started_at: datetime | None
    trials: Sequence[TrialResult]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A described study that waits for nothing but a decision.

    ``space`` is None until the study began; ``step`` is None when none is under way.
    """

    id: int
    uid: str
    version: int
    state: StudyState
    config: StudyConfig
    description: TaskDescription
    space: SearchSpace | None
    num_trials: int
    history: Sequence[StepReport]
    step: StepSnapshot | None

    def context(self, step: StepSnapshot) -> StepContext:
        """What the step may know."""
        assert self.space is not None
        return StepContext(
            seed=self.config.seed,
            description=self.description,
            space=self.space,
            fixed=self.config.set,
            learned=_learned(self.history),
            history=self.history,
            trials=step.trials,
            round=step.round,
            pass_number=step.pass_number,
        )


def read(session: Session, study_uid: str) -> Snapshot | None:
    """The study, or None when there is nothing to decide: it is not described yet, trials
    are under way, a person must act, or it has ended. Raises NotFound.
    """
    study = studies.require(session, study_uid)
    if study.state not in ACTIVE or study.description is None:
        return None
    runs = step_runs.of_study(session, study.id)
    current = next((run for run in runs if run.state is StepState.RUNNING), None)
    step = None
    if current is not None:
        rows = trials.of_step_run(session, current.id)
        if any(not trial.state.has_ended for trial in rows):
            return None
        step = _step(session, current, rows)
    return Snapshot(
        id=study.id,
        uid=study.uid,
        version=study.version,
        state=study.state,
        config=StudyConfig.model_validate_json(study.config),
        description=TaskDescription.model_validate_json(study.description),
        space=None if study.space is None else SearchSpace.model_validate_json(study.space),
        num_trials=study.num_trials,
        history=step_runs.judged(runs),
        step=step,
    )


def _step(session: Session, run: StepRun, rows: Sequence[Trial]) -> StepSnapshot:
    joined = curves.effective(session, [trial.id for trial in rows]) if rows else {}
    results = []
    for trial in rows:
        assert trial.outcome is not None, f"trial {trial.number} ended without an outcome"
        results.append(
            TrialResult(
                number=trial.number,
                purpose=trial.purpose,
                label=trial.label,
                params=json.loads(trial.params),
                outcome=MemberOutcome.model_validate_json(trial.outcome),
                curves=joined.get(trial.id, {}),
            )
        )
    return StepSnapshot(
        id=run.id,
        number=run.number,
        round=run.round,
        pass_number=run.pass_number,
        started_at=run.started_at,
        trials=results,
    )


def _learned(history: Sequence[StepReport]) -> Mapping[str, Any]:
    learned: dict[str, Any] = {}
    for report in history:
        if report.state is not StepState.STALE:
            learned.update(report.learned)
    return learned
