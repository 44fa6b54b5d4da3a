"""Queries on attempts for people: what waits before a trial, what a worker did."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from recipes.wire import AttemptState
from service.database.models import Attempt, AttemptMember, Job, JobMember, Study, Trial
from service.repositories.studies import ACTIVE, is_there


class WorkerAttempt(NamedTuple):
    """An attempt that a worker held, as the worker's page tells it."""

    attempt: Attempt
    study: str  # its uid
    study_name: str
    trials: tuple[int, ...]  # numbers; none: the task was described


def num_queued_before(session: Session, trial_id: int) -> int | None:
    """How many queued attempts come before a trial's own; None where it has none queued."""
    own = session.scalar(
        select(func.min(Attempt.id))
        .join(JobMember, JobMember.job_id == Attempt.job_id)
        .where(JobMember.trial_id == trial_id, Attempt.state == AttemptState.QUEUED)
    )
    if own is None:
        return None
    return num_queued(session, before=own)


def num_queued(session: Session, *, before: int | None = None) -> int:
    """How many attempts of active studies are queued; only those before one of them."""
    query = (
        select(func.count())
        .select_from(Attempt)
        .join(Job, Job.id == Attempt.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(Attempt.state == AttemptState.QUEUED, Study.state.in_(ACTIVE))
    )
    return session.scalar(query if before is None else query.where(Attempt.id < before)) or 0


def of_worker(session: Session, worker_id: int, limit: int) -> list[WorkerAttempt]:
    """A worker's attempts with their studies and trials, newest first."""
    rows = session.execute(
        select(Attempt, Study.uid, Study.name)
        .join(Job, Job.id == Attempt.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(Attempt.worker_id == worker_id, is_there())
        .order_by(Attempt.id.desc())
        .limit(limit)
    ).all()
    members = session.execute(
        select(AttemptMember.attempt_id, Trial.number)
        .join(Trial, Trial.id == AttemptMember.trial_id)
        .where(AttemptMember.attempt_id.in_([attempt.id for attempt, _, _ in rows]))
        .order_by(Trial.number)
    )
    numbers: dict[int, list[int]] = {}
    for attempt_id, number in members:
        numbers.setdefault(attempt_id, []).append(number)
    return [
        WorkerAttempt(attempt, study, name, tuple(numbers.get(attempt.id, ())))
        for attempt, study, name in rows
    ]
