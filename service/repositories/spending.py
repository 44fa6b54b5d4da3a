"""Queries on what studies have spent, in a statement a kind however many trials there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Double, case, cast, func, select
from sqlalchemy.orm import Session

from recipes.step import StepKind
from recipes.trial import TrialState
from service.database.models import Attempt, Job, JobMember, StepRun, Trial
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
    """

    epochs: float = 0.0
    trials: int = 0
    device_seconds: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.epochs + other.epochs,
            self.trials + other.trials,
            self.device_seconds + other.device_seconds,
        )


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


def by_step_run(
    session: Session, study_ids: Collection[int]
) -> Mapping[int, Mapping[int | None, Work]]:
    """What was spent, by study and step run (None: on describing the task).

    A trial's epochs are its iterations over those of one pass over the training data at its
    batch size. Those of a trial under way are known from its last rung.
    """
    found: dict[int, dict[int | None, Work]] = defaultdict(lambda: defaultdict(Work))
    passes = func.sum(cast(Trial.iterations, Double) / Trial.epoch_iterations)
    trials = session.execute(
        select(Trial.study_id, Trial.step_run_id, StepRun.number, passes, func.count())
        .join(StepRun, StepRun.id == Trial.step_run_id)
        .where(Trial.study_id.in_(study_ids))
        .group_by(Trial.study_id, Trial.step_run_id, StepRun.number)
    )
    for study_id, run_id, number, epochs, count in trials:
        begun = count if number >= FIRST_SEARCH else 0
        found[study_id][run_id] += Work(epochs=float(epochs or 0.0), trials=begun)
    attempts = session.execute(
        select(Job.study_id, Job.step_run_id, func.sum(Attempt.seconds))
        .join(Attempt, Attempt.job_id == Job.id)
        .where(Job.study_id.in_(study_ids))
        .group_by(Job.study_id, Job.step_run_id)
    )
    for study_id, step_run_id, seconds in attempts:
        found[study_id][step_run_id] += Work(device_seconds=float(seconds or 0.0))
    return found


def progress(session: Session, step_run_ids: Collection[int]) -> dict[int, Progress]:
    """How far the jobs of some step runs are, by the runs' keys."""
    is_open = JobMember.state.in_(OPEN_TRIAL_STATES)
    members = session.execute(
        select(Job.step_run_id, func.count(), func.sum(case((is_open, 1), else_=0)))
        .select_from(JobMember)
        .join(Job, Job.id == JobMember.job_id)
        .where(Job.step_run_id.in_(step_run_ids), JobMember.state != TrialState.CANCELLED)
        .group_by(Job.step_run_id)
    )
    found = dict.fromkeys(step_run_ids, Progress(0, 0, 0.0, 0))
    for run_id, total, still_open in members:
        found[run_id] = Progress(total - int(still_open or 0), total, 0.0, 0)
    attempts = session.execute(
        select(
            Job.step_run_id,
            func.sum(Attempt.seconds),
            func.sum(case((Attempt.state.in_(HELD), 1), else_=0)),
        )
        .join(Job, Job.id == Attempt.job_id)
        .where(Job.step_run_id.in_(step_run_ids))
        .group_by(Job.step_run_id)
    )
    for run_id, seconds, running in attempts:
        found[run_id] = found[run_id]._replace(
            seconds=float(seconds or 0.0), running=int(running or 0)
        )
    return found
