"""Queries on attempts: who holds which."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, cast

from sqlalchemy import (
    Table,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.orm import Session

from recipes.run import JobKind
from recipes.trial import TrialState
from recipes.wire import AttemptState
from service.database.models import (
    Artifact,
    Attempt,
    AttemptMember,
    Job,
    JobMember,
    Trial,
    Worker,
)
from service.database.types import OPEN_TRIAL_STATES, UtcDateTime
from service.uids import new_uid

HELD = (AttemptState.RUNNING, AttemptState.STOPPING)
"""States in which a worker holds an attempt and may write for it."""


class Held(NamedTuple):
    """An attempt and its job."""

    attempt_id: int
    uid: str
    number: int
    fence: int
    state: AttemptState
    worker_id: int | None
    heard_at: datetime | None
    started_at: datetime | None
    job_id: int
    kind: JobKind
    study_id: int
    step_run_id: int | None


class AttemptMemberView(NamedTuple):
    """A trial of a handed-out attempt, and where it goes on from.

    ``is_done`` says whether its part in the job is over: it ended, or waits at a rung and
    may be under way in a later job already.
    """

    number: int
    trial_id: int
    state: TrialState
    is_done: bool
    resume_epoch: int
    resume_iteration: int
    artifact: str | None  # the checkpoint's uid


class TrialAttempt(NamedTuple):
    """An attempt at one of a trial's jobs, as the trial's page tells it."""

    attempt: Attempt
    worker: str | None  # its name
    resume_iteration: int


HELD_COLUMNS = (
    Attempt.id,
    Attempt.uid,
    Attempt.number,
    Attempt.fence,
    Attempt.state,
    Attempt.worker_id,
    Attempt.heard_at,
    Attempt.started_at,
    Job.id,
    Job.kind,
    Job.study_id,
    Job.step_run_id,
)


# Statements of what happens with every job are made once: making them took longer than SQLite's
# part.
_WITH_JOB = select(*HELD_COLUMNS).join(Job, Job.id == Attempt.job_id)
BY_UID = _WITH_JOB.where(Attempt.uid == bindparam("of_uid"))


def get(session: Session, uid: str) -> Held:
    """An attempt by its public name; it must be there."""
    return Held._make(session.execute(BY_UID, {"of_uid": uid}).one())


def held_by(session: Session, worker_id: int) -> list[Held]:
    """What a worker holds, study by study."""
    query = _WITH_JOB.where(Attempt.worker_id == worker_id, Attempt.state.in_(HELD)).order_by(
        Job.study_id,
        Attempt.id,  # studies are locked in this order
    )
    return [Held._make(row) for row in session.execute(query)]


def queue(
    session: Session, job_ids: Sequence[int], *, number: int, fence: int, now: datetime
) -> None:
    """Queue an attempt at each of some jobs, in their order."""
    rows = [
        {
            "uid": new_uid(),
            "job_id": job_id,
            "number": number,
            "fence": fence,
            "state": AttemptState.QUEUED,
            "queued_at": now,
        }
        for job_id in job_ids
    ]
    session.execute(insert(Attempt), rows)


def hand_out_again(
    session: Session,
    attempt_id: int,
    *,
    now: datetime,
    lease_expires_at: datetime,
    token_sha256: str,
) -> bool:
    """Hand an attempt that was never heard of to the same slot again: new fence, new token."""
    changed = session.scalar(
        update(Attempt)
        .where(
            Attempt.id == attempt_id,
            Attempt.state == AttemptState.RUNNING,
            Attempt.heard_at.is_(None),
        )
        .values(
            fence=Attempt.fence + 1,
            started_at=now,
            lease_expires_at=lease_expires_at,
            token_sha256=token_sha256,
        )
        .returning(Attempt.id)
        .execution_options(synchronize_session=False)
    )
    return changed is not None


def renew(
    session: Session, uid: str, fence: int, *, now: datetime, lease_expires_at: datetime
) -> Held | None:
    """Renew the lease of an attempt held under this fence; None when it is not."""
    changed = session.scalar(
        update(Attempt)
        .where(Attempt.uid == uid, Attempt.fence == fence, Attempt.state.in_(HELD))
        .values(heard_at=now, lease_expires_at=lease_expires_at)
        .returning(Attempt.id)
        .execution_options(synchronize_session=False)
    )
    return None if changed is None else get(session, uid)


def end(
    session: Session,
    held: Held,
    state: AttemptState,
    *,
    now: datetime,
    cause: str | None,
    error: str | None,
    traceback: str | None,
) -> float:
    """End an attempt whose study's row is held; how long it held its slot, in seconds.

    ``now`` is by the clock of leases.
    """
    seconds = max(0.0, (now - held.started_at).total_seconds()) if held.started_at else 0.0
    session.execute(
        _END,
        {
            "of_attempt": held.attempt_id,
            "new_state": state,
            "now": now,
            "new_seconds": seconds,
            "new_cause": cause,
            "new_error": error,
            "new_traceback": traceback,
        },
    )
    return seconds


_ATTEMPTS = cast(Table, Attempt.__table__)
_END = (
    update(_ATTEMPTS)
    .where(_ATTEMPTS.c.id == bindparam("of_attempt"))
    .values(
        state=bindparam("new_state"),
        ended_at=bindparam("now"),
        seconds=bindparam("new_seconds"),
        lease_expires_at=null(),
        cause=bindparam("new_cause"),
        error=bindparam("new_error"),
        traceback=bindparam("new_traceback"),
    )
)


def cancel_all(session: Session, study_id: int, now: datetime) -> None:
    """Cancel a study's queued attempts, and have the held ones stop."""
    jobs = select(Job.id).where(Job.study_id == study_id)
    is_queued = Attempt.state == AttemptState.QUEUED
    session.execute(
        update(Attempt)
        .where(
            Attempt.job_id.in_(jobs),
            Attempt.state.in_((AttemptState.QUEUED, AttemptState.RUNNING)),
        )
        .values(
            state=case(
                (is_queued, AttemptState.CANCELLED.value), else_=AttemptState.STOPPING.value
            ),
            ended_at=case((is_queued, literal(now, UtcDateTime())), else_=null()),
        )
        .execution_options(synchronize_session=False)
    )


def expired(session: Session, now: datetime, limit: int = 100) -> Sequence[str]:
    """Attempts whose lease ran out, longest ago first."""
    return session.scalars(
        select(Attempt.uid)
        .where(Attempt.state.in_(HELD), Attempt.lease_expires_at < now)
        .order_by(Attempt.lease_expires_at)
        .limit(limit)
    ).all()


def is_expired(session: Session, attempt_id: int, now: datetime) -> bool:
    """Whether an attempt is held and its lease has run out."""
    query = select(Attempt.id).where(
        Attempt.id == attempt_id, Attempt.state.in_(HELD), Attempt.lease_expires_at < now
    )
    return session.scalar(query) is not None


def queued_uids(session: Session, limit: int = 1000) -> Sequence[str]:
    """Attempts that wait for a worker, oldest first."""
    return session.scalars(
        select(Attempt.uid)
        .where(Attempt.state == AttemptState.QUEUED)
        .order_by(Attempt.id)
        .limit(limit)
    ).all()


def count_ended(session: Session, job_id: int) -> dict[tuple[AttemptState, str | None], int]:
    """How many of a job's attempts ended in each state by each cause."""
    rows = session.execute(
        select(Attempt.state, Attempt.cause, func.count())
        .where(Attempt.job_id == job_id)
        .group_by(Attempt.state, Attempt.cause)
    )
    return {(state, cause): number for state, cause, number in rows if state.has_ended}


def failures(session: Session, job_id: int, causes: Collection[str], *, before: int) -> list[str]:
    """By which of some causes a job's attempts failed, in their order.

    Args:
        session: Any session.
        job_id: The job.
        causes: Those that are asked for.
        before: Only attempts with a lower number.
    """
    found = session.scalars(
        select(Attempt.cause)
        .where(
            Attempt.job_id == job_id,
            Attempt.number < before,
            Attempt.state == AttemptState.FAILED,
            Attempt.cause.in_(causes),
        )
        .order_by(Attempt.number)
    )
    return [cause for cause in found if cause is not None]


def busy_slots(session: Session) -> dict[int, int]:
    """How many attempts each worker holds."""
    rows = session.execute(
        select(Attempt.worker_id, func.count())
        .where(Attempt.state.in_(HELD))
        .group_by(Attempt.worker_id)
    )
    return {worker_id: number for worker_id, number in rows if worker_id is not None}


def set_members(
    session: Session, attempt_id: int, members: Sequence[Mapping[str, int | None]]
) -> None:
    """Write where each member of a handed-out attempt goes on from."""
    if members:
        session.execute(_ADD_MEMBERS, [{"attempt_id": attempt_id, **each} for each in members])


_ADD_MEMBERS = insert(cast(Table, AttemptMember.__table__))


def members(session: Session, attempt_id: int) -> list[AttemptMemberView]:
    """A handed-out attempt's members, by trial number."""
    rows = session.execute(_MEMBERS, {"of_attempt": attempt_id})
    return [AttemptMemberView._make(row) for row in rows]


_MEMBERS = (
    select(
        Trial.number,
        Trial.id,
        Trial.state,
        JobMember.state.not_in(OPEN_TRIAL_STATES),
        AttemptMember.resume_epoch,
        AttemptMember.resume_iteration,
        Artifact.uid,
    )
    .join(Attempt, Attempt.id == AttemptMember.attempt_id)
    .join(Trial, Trial.id == AttemptMember.trial_id)
    .join(
        JobMember,
        and_(JobMember.job_id == Attempt.job_id, JobMember.trial_id == Trial.id),
    )
    .outerjoin(Artifact, Artifact.id == AttemptMember.artifact_id)
    .where(AttemptMember.attempt_id == bindparam("of_attempt"))
    .order_by(Trial.number)
)


def of_trial(session: Session, trial_id: int) -> list[TrialAttempt]:
    """A trial's attempts, of all its jobs, oldest first."""
    rows = session.execute(
        select(Attempt, Worker.name, AttemptMember.resume_iteration)
        .join(AttemptMember, AttemptMember.attempt_id == Attempt.id)
        .outerjoin(Worker, Worker.id == Attempt.worker_id)
        .where(AttemptMember.trial_id == trial_id)
        .order_by(Attempt.id)
    )
    return [TrialAttempt._make(row) for row in rows]


def heard(session: Session, attempt_id: int, now: datetime) -> None:
    """Note the first word from the worker about an attempt."""
    session.execute(_HEARD, {"of_attempt": attempt_id, "now": now})


_HEARD = (
    update(_ATTEMPTS)
    .where(_ATTEMPTS.c.id == bindparam("of_attempt"))
    .values(heard_at=bindparam("now"))
)
