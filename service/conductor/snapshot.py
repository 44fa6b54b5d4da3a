"""A study as the conductor reads it: all that one decision needs, at one moment."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from recipes.budget import BudgetState
from recipes.curve import Curve, CurveKey
from recipes.description import TaskDescription
from recipes.evidence.study_curves import best_number
from recipes.search.memory import left_out
from recipes.space import SearchSpace
from recipes.step import (
    LeftOut,
    Step,
    StepContext,
    StepReport,
    StepState,
    TrialResult,
)
from recipes.study import StudyConfig, StudyState
from service.conductor.earlier_trials import earlier_trials
from service.conductor.recipe import Recipe
from service.database.models import StepRun, Trial
from service.repositories import curves, step_runs, studies, trials
from service.repositories.stored import config_of, description_of, outcome_of
from service.repositories.studies import ACTIVE
from service.settings import Settings
from service.use_cases.spending import budget_state


@dataclass(frozen=True, slots=True)
class StepSnapshot:
    """The step run that is under way. All of its trials have ended or wait at a rung.

    Attributes:
        search: Trials of earlier searches, where the step reads them: those that it looks at.
        left_out: What the others of those searches add up to.
        keys: The database's keys of ``trials``, by number.
    """

    id: int
    number: int
    round: int
    pass_number: int
    started_at: datetime | None
    trials: Sequence[TrialResult]
    search: Sequence[TrialResult]
    left_out: LeftOut
    keys: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A described study that waits for nothing but a decision.

    ``space`` is None until the study began; ``step`` is None when none is under way.
    ``history`` leaves stale reports out.
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
    budget: BudgetState
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
            search=step.search,
            left_out=step.left_out,
            options=self.config.search,
            incumbent=self.config.incumbent,
            budget=self.budget,
            max_rounds=self.config.max_rounds,
        )


def read(
    session: Session, study_uid: str, *, recipe: Recipe, settings: Settings
) -> Snapshot | None:
    """The study, or None when there is nothing to decide: it is not described yet, jobs are
    under way, a person must act, or it has ended.

    Raises:
        NotFound: There is no such study.
    """
    study = studies.require(session, study_uid)
    if study.state not in ACTIVE or study.description is None:
        return None
    if studies.is_busy(session, study.id):
        return None
    runs = step_runs.of_study(session, study.id)
    current = next((run for run in runs if run.state is StepState.RUNNING), None)
    config = config_of(study.config)
    description = description_of(study.description)
    history = step_runs.judged(runs)
    return Snapshot(
        id=study.id,
        uid=study.uid,
        version=study.version,
        state=study.state,
        config=config,
        description=description,
        space=None if study.space is None else SearchSpace.model_validate_json(study.space),
        num_trials=study.num_trials,
        history=history,
        budget=budget_state(session, study, current, config.budget, settings=settings),
        step=(
            None
            if current is None
            else _step(session, runs, history, current, recipe.steps[current.number], description)
        ),
    )


def _step(
    session: Session,
    runs: Sequence[StepRun],
    history: Sequence[StepReport],
    current: StepRun,
    step: Step,
    description: TaskDescription,
) -> StepSnapshot:
    by_id = {run.id: run for run in runs}
    earlier = earlier_trials(
        session, by_id, current, step=step, history=history, description=description
    )
    found = trials.of_step_runs(
        session, current.study_id, {current.id, *earlier.whole}, earlier.numbers
    )
    rows = [row for row in found if row.outcome is not None]
    own = [row for row in rows if row.step_run_id == current.id]
    others = [row for row in rows if row.step_run_id != current.id]
    drawn: list[Trial] = []
    if step.reads_curves:
        best = _best_setting(history, others)
        drawn = [
            *own,
            *(
                row
                for row in others
                if by_id[row.step_run_id].round == current.round or row.params == best
            ),
        ]
    joined = curves.effective(session, [row.id for row in drawn]) if drawn else {}
    search = _results(others, by_id, joined)
    return StepSnapshot(
        id=current.id,
        number=current.number,
        round=current.round,
        pass_number=current.pass_number,
        started_at=current.started_at,
        trials=_results(own, by_id, joined),
        search=search,
        left_out=left_out(
            earlier.memories.values(),
            description,
            read=[
                trial
                for row, trial in zip(others, search, strict=True)
                if earlier.is_unremembered(row)
            ],
        ),
        keys={row.number: row.id for row in own},
    )


def _best_setting(history: Sequence[StepReport], rows: Collection[Trial]) -> str | None:
    """The best setting so far, as the rows of its trials hold it. It may be an earlier round's."""
    number = best_number(history)
    return next((row.params for row in rows if row.number == number), None)


def _results(
    rows: Collection[Trial],
    runs: Mapping[int, StepRun],
    joined: Mapping[int, Mapping[CurveKey, Curve]],
) -> list[TrialResult]:
    results = []
    for row in rows:
        assert row.outcome is not None
        run = runs[row.step_run_id]
        results.append(
            TrialResult(
                number=row.number,
                purpose=row.purpose,
                label=row.label,
                params=json.loads(row.params),
                outcome=outcome_of(row.outcome),
                curves=joined.get(row.id, {}),
                seed=row.seed,
                data_seed=row.data_seed,
                step=run.number,
                round=run.round,
                pass_number=run.pass_number,
            )
        )
    return results


def _learned(history: Sequence[StepReport]) -> Mapping[str, Any]:
    learned: dict[str, Any] = {}
    for report in history:
        learned.update(report.learned)
    return learned
