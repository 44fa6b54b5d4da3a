"""Queries on workers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from service.database.models import Attempt, Job, Worker
from service.errors import NotFound
from service.uids import is_uid


def require(session: Session, uid: str) -> Worker:
    """A worker that has not said goodbye. Raises NotFound: it registers again."""
    if is_uid(uid):
        worker = session.scalar(select(Worker).where(Worker.uid == uid, Worker.gone_at.is_(None)))
        if worker is not None:
            return worker
    raise NotFound("worker", uid)


def find(session: Session, uid: str) -> Worker:
    """A worker, one that has left too. Raises NotFound."""
    worker = session.scalar(select(Worker).where(Worker.uid == uid)) if is_uid(uid) else None
    if worker is None:
        raise NotFound("worker", uid)
    return worker


def seen(session: Session, uid: str, now: datetime) -> None:
    """Note a worker's heartbeat. Raises NotFound."""
    changed = None
    if is_uid(uid):
        changed = session.scalar(
            update(Worker)
            .where(Worker.uid == uid, Worker.gone_at.is_(None))
            .values(seen_at=now)
            .returning(Worker.id)
            .execution_options(synchronize_session=False)
        )
    if changed is None:
        raise NotFound("worker", uid)


def leave(session: Session, worker_id: int, now: datetime, *, has_died: bool) -> None:
    """Note that a worker is gone for good; whether it died, or said goodbye."""
    session.execute(
        update(Worker)
        .where(Worker.id == worker_id)
        .values(gone_at=now, has_died=has_died)
        .execution_options(synchronize_session=False)
    )


def slots_alive(session: Session, since: datetime) -> int:
    """Slots of the workers that were heard of after ``since`` and have not left."""
    return int(session.scalar(_SLOTS, {"since": since}) or 0)


# Made once: with each decision, making it took longer than SQLite's part.
_SLOTS = select(func.sum(Worker.slots)).where(
    Worker.gone_at.is_(None), Worker.seen_at > bindparam("since")
)


def versions_of_study(session: Session, study_id: int) -> Sequence[str]:
    """The versions of the workers that held a study's attempts."""
    return session.scalars(
        select(Worker.version)
        .join(Attempt, Attempt.worker_id == Worker.id)
        .join(Job, Job.id == Attempt.job_id)
        .where(Job.study_id == study_id)
        .distinct()
        .order_by(Worker.version)
    ).all()


def named(session: Session, name: str) -> Sequence[Worker]:
    """Workers of a name that have not said goodbye."""
    return session.scalars(
        select(Worker).where(Worker.name == name, Worker.gone_at.is_(None)).order_by(Worker.id)
    ).all()


def recent(
    session: Session, since: datetime, *, limit: int = 1000, before: int | None = None
) -> Sequence[Worker]:
    """Workers that are here or were heard of after ``since``, newest first.

    Args:
        session: Any session.
        since: When.
        limit: Most of them.
        before: Only those with a key below this one.
    """
    query = (
        select(Worker)
        .where(or_(Worker.seen_at > since, Worker.gone_at > since))
        .order_by(Worker.id.desc())
        .limit(limit)
    )
    return session.scalars(query if before is None else query.where(Worker.id < before)).all()
