"""Queries on jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, cast

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.orm import Session

from recipes.run import JobKind
from recipes.trial import TrialState
from service.database.models import Job, JobMember
from service.database.types import OPEN_TRIAL_STATES
from service.repositories import attempts


class NewJob(NamedTuple):
    """A job to queue, with the keys of its trials in the order of its run spec."""

    kind: JobKind
    step_run_id: int | None = None
    run: str | None = None  # RunSpec as JSON
    trial_ids: Sequence[int] = ()


def queue(session: Session, study_id: int, new: Sequence[NewJob], *, now: datetime) -> None:
    """Write jobs, their members and their first attempts, in a few statements."""
    rows = [
        {
            "study_id": study_id,
            "step_run_id": job.step_run_id,
            "kind": job.kind,
            "run": job.run,
            "state": TrialState.WAITING,
            "created_at": now,
        }
        for job in new
    ]
    ids = session.scalars(insert(Job).returning(Job.id, sort_by_parameter_order=True), rows).all()
    members = [
        {"job_id": job_id, "trial_id": trial_id, "state": TrialState.WAITING}
        for job_id, job in zip(ids, new, strict=True)
        for trial_id in job.trial_ids
    ]
    if members:
        session.execute(insert(JobMember), members)
    attempts.queue(session, ids, number=1, fence=0, now=now)


def run_of(session: Session, job_id: int) -> str | None:
    """A job's run spec, as JSON."""
    return session.scalar(select(Job.run).where(Job.id == job_id))


def start(session: Session, job_id: int) -> None:
    """A job's first attempt was handed out."""
    session.execute(_START, {"of_job": job_id})


# Made once, and of tables: with each job, making them took longer than SQLite's part.
_JOBS = cast(Table, Job.__table__)
_START = (
    update(_JOBS)
    .where(_JOBS.c.id == bindparam("of_job"), _JOBS.c.state == TrialState.WAITING)
    .values(state=TrialState.RUNNING)
)


def end(session: Session, job_id: int, state: TrialState, now: datetime) -> None:
    """No attempt at the job will be made any more."""
    session.execute(_END, {"of_job": job_id, "new_state": state, "now": now})


_END = (
    update(_JOBS)
    .where(_JOBS.c.id == bindparam("of_job"), _JOBS.c.state.in_(OPEN_TRIAL_STATES))
    .values(state=bindparam("new_state"), ended_at=bindparam("now"))
)


def cancel_open(session: Session, study_id: int, now: datetime) -> None:
    """Cancel a study's jobs that have not ended."""
    session.execute(
        update(Job)
        .where(Job.study_id == study_id, Job.state.in_(OPEN_TRIAL_STATES))
        .values(state=TrialState.CANCELLED, ended_at=now)
        .execution_options(synchronize_session=False)
    )
