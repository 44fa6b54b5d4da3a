"""Queries on what studies have spent, in a statement a kind however many trials there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Double, bindparam, case, cast, func, or_, select
from sqlalchemy.orm import Session

from recipes.step import StepKind
from recipes.trial import TrialState
from service.database.models import Attempt, Job, JobMember, StepRun, StepWork, Trial
from service.database.types import OPEN_TRIAL_STATES
from service.repositories.attempts import HELD

FIRST_SEARCH = StepKind.COARSE_SEARCH.number
"""From this step on trials count against a budget in trials."""


@dataclass(frozen=True, slots=True)
class Work:
    """What trials and attempts cost.

    Attributes:
        epochs: Passes over the training data.
        trials: Begun in steps 4 to 7.
        device_seconds: Of ended attempts.
        running: Attempts that a worker holds.
    """

    epochs: float = 0.0
    trials: int = 0
    device_seconds: float = 0.0
    running: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.epochs + other.epochs,
            self.trials + other.trials,
            self.device_seconds + other.device_seconds,
            self.running + other.running,
        )


StudiesWork = Mapping[int, Mapping[int | None, Work]]
"""Work by study and step run; None: on describing the task."""


class Progress(NamedTuple):
    """How far the jobs of a step run are.

    Attributes:
        done: Members whose part is over.
        total: Members planned so far.
        seconds: Of the ended attempts.
        running: Attempts under way.
    """

    done: int
    total: int
    seconds: float
    running: int


def by_step_run(session: Session, study_ids: Collection[int]) -> StudiesWork:
    """What was spent, by study and step run (None: on describing the task).

    A trial's epochs are its iterations over those of one pass over the training data at its
    batch size. Those of a trial under way are known from its last rung. Step runs that were
    judged were added up then; only those of the others are added up now.
    """
    found: dict[int, dict[int | None, Work]] = defaultdict(lambda: defaultdict(Work))
    open_runs: dict[int, tuple[int, bool]] = {}
    # Of an outer join: numbers or None.
    runs: Iterable[Any] = session.execute(_JUDGED, {"of_studies": [*study_ids]})
    for study_id, run_id, number, epochs, count, seconds in runs:
        if epochs is None:
            open_runs[run_id] = (study_id, number >= FIRST_SEARCH)
        else:
            found[study_id][run_id] = Work(epochs, count, seconds)
    if open_runs:
        for run_id, epochs, count in _trained(session, open_runs.keys()):
            study_id, is_search = open_runs[run_id]
            found[study_id][run_id] = Work(float(epochs or 0.0), count if is_search else 0)
    for study_id, run_id, seconds, running in _attempted(session, study_ids, open_runs.keys()):
        found[study_id][run_id] += Work(device_seconds=float(seconds or 0.0), running=running)
    return found


def _trained(session: Session, step_run_ids: Collection[int]) -> Iterable[Any]:
    """Of some step runs the key, the epochs and the number of their trials."""
    return session.execute(_TRAINED, {"of_runs": [*step_run_ids]})


def _attempted(
    session: Session, study_ids: Collection[int], step_run_ids: Collection[int]
) -> Iterable[Any]:
    """Of some studies' step runs, and of describing their tasks: both keys, seconds, running."""
    return session.execute(_ATTEMPTED, {"of_studies": [*study_ids], "of_runs": [*step_run_ids]})


# Made once: with each decision, making them took longer than SQLite's part.
_STUDIES: BindParameter[Any] = bindparam("of_studies", expanding=True)
_RUNS: BindParameter[Any] = bindparam("of_runs", expanding=True)
_JUDGED = (
    select(
        StepRun.study_id,
        StepRun.id,
        StepRun.number,
        StepWork.epochs,
        StepWork.trials,
        StepWork.device_seconds,
    )
    .outerjoin(StepWork, StepWork.step_run_id == StepRun.id)
    .where(StepRun.study_id.in_(_STUDIES))
)
_TRAINED = (
    # By what one index holds: outcomes stand between a trial's other columns.
    select(
        Trial.step_run_id,
        func.sum(cast(Trial.iterations, Double) / Trial.epoch_iterations),
        func.count(),
    )
    .where(Trial.step_run_id.in_(_RUNS))
    .group_by(Trial.step_run_id)
)
_ATTEMPTED = (
    select(
        Job.study_id,
        Job.step_run_id,
        func.sum(Attempt.seconds),
        func.sum(case((Attempt.state.in_(HELD), 1), else_=0)),
    )
    .join(Attempt, Attempt.job_id == Job.id)
    .where(
        Job.study_id.in_(_STUDIES),
        or_(Job.step_run_id.is_(None), Job.step_run_id.in_(_RUNS)),
    )
    .group_by(Job.study_id, Job.step_run_id)
)


def progress(
    session: Session, step_run_ids: Collection[int], work: Mapping[int, Work]
) -> dict[int, Progress]:
    """How far the jobs of some step runs are, by the runs' keys.

    Args:
        session: Any session.
        step_run_ids: The runs.
        work: What they have spent (``by_step_run``), by their keys.
    """
    is_open = JobMember.state.in_(OPEN_TRIAL_STATES)
    members = session.execute(
        select(Job.step_run_id, func.count(), func.sum(case((is_open, 1), else_=0)))
        .select_from(JobMember)
        .join(Job, Job.id == JobMember.job_id)
        .where(Job.step_run_id.in_(step_run_ids), JobMember.state != TrialState.CANCELLED)
        .group_by(Job.step_run_id)
    )
    spent = {run_id: work.get(run_id, Work()) for run_id in step_run_ids}
    found = {
        run_id: Progress(0, 0, each.device_seconds, each.running) for run_id, each in spent.items()
    }
    for run_id, total, still_open in members:
        found[run_id] = found[run_id]._replace(done=total - int(still_open or 0), total=total)
    return found
