"""The queue of attempts: the one statement that hands one out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from recipes.wire import AttemptState
from service.database.models import Attempt, Job, Study
from service.repositories.attempts import Held, get
from service.repositories.studies import ACTIVE

FIRST_PIECE, NEXT_PIECE = 64, 2_000
"""Queued attempts looked at together: the first few are nearly always of active studies."""


def take(
    session: Session,
    worker_id: int,
    slot: int,
    *,
    now: datetime,
    lease_expires_at: datetime,
    token_sha256: str,
    held_back: Callable[[Collection[int]], Collection[int]],
) -> Held | None:
    """Hand the oldest queued attempt of an active study to a worker's slot, with its token.

    Of studies that it comes across, those that ``held_back`` names are passed over.

    One statement chooses and marks it: of two that ask at once each gets its own, or one
    gets none. The queue is gone through in pieces, so that what is chosen from is small
    however much waits: a database that does not know yet how long the queue has become
    would else join and sort all of it for its first entry.
    """
    after, piece = 0, FIRST_PIECE
    while True:
        waiting = (
            select(Attempt.id, Attempt.job_id)
            .where(Attempt.state == AttemptState.QUEUED, Attempt.id > after)
            .order_by(Attempt.id)
            .limit(piece)
            .subquery()
        )
        found = session.execute(
            select(waiting.c.id, Job.study_id).join(Job, Job.id == waiting.c.job_id)
        ).all()
        if not found:
            return None
        first, last = min(row.id for row in found), max(row.id for row in found)
        passed_over = held_back({row.study_id for row in found})
        oldest = (
            select(Attempt.id)
            .join(Job, Job.id == Attempt.job_id)
            .join(Study, Study.id == Job.study_id)
            .where(
                Attempt.id.between(first, last),
                Attempt.state == AttemptState.QUEUED,
                Study.state.in_(ACTIVE),
                Study.id.not_in(passed_over),
            )
            .order_by(Attempt.id)
            .limit(1)
            .with_for_update(of=Attempt, skip_locked=True)
            .scalar_subquery()
        )
        uid = session.scalar(
            update(Attempt)
            .where(Attempt.id == oldest, Attempt.state == AttemptState.QUEUED)
            .values(
                state=AttemptState.RUNNING,
                fence=Attempt.fence + 1,
                worker_id=worker_id,
                slot=slot,
                started_at=now,
                lease_expires_at=lease_expires_at,
                token_sha256=token_sha256,
            )
            .returning(Attempt.uid)
            .execution_options(synchronize_session=False)
        )
        if uid is not None:
            return get(session, uid)
        after, piece = last, NEXT_PIECE
