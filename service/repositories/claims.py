"""Queries on claims: a slot that asks for work, and what an attempt is to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, select
from sqlalchemy.orm import Session

from service.clock import CLOCK, has_own_clock, utc_now
from service.database.models import Attempt, Job, Study, Worker
from service.errors import NotFound
from service.repositories.attempts import BY_UID, HELD, HELD_COLUMNS, Held
from service.uids import is_uid


class Slot(NamedTuple):
    """A worker's slot that asks for work, and what it holds by our books, study by study.

    ``now`` is by the clock of leases.
    """

    worker_id: int
    now: datetime
    held: Sequence[Held]


class Assignment(NamedTuple):
    """What a held attempt is to do."""

    held: Held
    study: str  # its uid
    config: str  # StudyConfig as JSON
    digest: str | None
    run: str | None  # RunSpec as JSON


# Made once: with each claim, making them took longer than the database's part.
_ASSIGNMENT = BY_UID.join(Study, Study.id == Job.study_id).add_columns(
    Study.uid, Study.config, Study.digest, Job.run
)


def assignment(session: Session, uid: str) -> Assignment:
    """What an attempt is to do, by its public name; it must be there."""
    row = session.execute(_ASSIGNMENT, {"of_uid": uid}).one()
    count = len(HELD_COLUMNS)
    return Assignment(Held._make(row[:count]), *row[count:])


_SLOT = (
    select(Worker.id, *HELD_COLUMNS)
    .select_from(Worker)
    .outerjoin(
        Attempt,
        and_(
            Attempt.worker_id == Worker.id,
            Attempt.slot == bindparam("of_slot"),
            Attempt.state.in_(HELD),
        ),
    )
    .outerjoin(Job, Job.id == Attempt.job_id)
    .where(Worker.uid == bindparam("of_worker"), Worker.gone_at.is_(None))
    .order_by(Job.study_id, Attempt.id)  # studies are locked in this order
)
_SLOT_AND_CLOCK = _SLOT.add_columns(CLOCK)


def slot(session: Session, worker_uid: str, number: int) -> Slot:
    """A slot of a worker that has not said goodbye. Raises NotFound: it registers again."""
    with_clock = has_own_clock(session)
    rows: Sequence[Any] = ()
    if is_uid(worker_uid):
        query = _SLOT_AND_CLOCK if with_clock else _SLOT
        rows = session.execute(query, {"of_worker": worker_uid, "of_slot": number}).all()
    if not rows:
        raise NotFound("worker", worker_uid)
    now = rows[0][-1] if with_clock else utc_now()
    # A slot that holds nothing has one row with its worker's key alone.
    held = [Held._make(row[1 : 1 + len(HELD_COLUMNS)]) for row in rows if row[1] is not None]
    return Slot(rows[0][0], now, held)
