"""The queue of attempts: the one statement that hands one out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, cast

from sqlalchemy import BindParameter, Integer, Table, bindparam, select, update
from sqlalchemy.orm import Session

from recipes.wire import AttemptState
from service.database.models import Attempt, Job, Study
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
) -> str | None:
    """Hand the oldest queued attempt of an active study to a worker's slot, with its token.

    Of studies that it comes across, those that ``held_back`` names are passed over.

    One statement chooses and marks it: of two that ask at once each gets its own, or one
    gets none. The queue is gone through in pieces, so that what is chosen from is small
    however much waits: a database that does not know yet how long the queue has become
    would else join and sort all of it for its first entry.

    Returns:
        The attempt's uid.
    """
    after, piece = 0, FIRST_PIECE
    while True:
        found = session.execute(_WAITING, {"last_seen": after, "piece": piece}).all()
        if not found:
            return None
        first, last = min(row.id for row in found), max(row.id for row in found)
        uid = session.scalar(
            _TAKE,
            {
                "first": first,
                "last": last,
                "passed_over": [*held_back({row.study_id for row in found})],
                "new_worker": worker_id,
                "new_slot": slot,
                "now": now,
                "new_expiry": lease_expires_at,
                "new_token": token_sha256,
            },
        )
        if uid is not None:
            return cast(str, uid)
        after, piece = last, NEXT_PIECE


# Made once: with each claim, making them took longer than the database's part.
_PASSED_OVER: BindParameter[Any] = bindparam("passed_over", expanding=True)
_QUEUED = (
    select(Attempt.id, Attempt.job_id)
    .where(Attempt.state == AttemptState.QUEUED, Attempt.id > bindparam("last_seen"))
    .order_by(Attempt.id)
    .limit(bindparam("piece", type_=Integer))
    .subquery()
)
_WAITING = select(_QUEUED.c.id, Job.study_id).join(Job, Job.id == _QUEUED.c.job_id)
# Of tables: as a change of the ORM's it would be made anew each time all the same.
_ATTEMPTS, _JOBS = cast(Table, Attempt.__table__), cast(Table, Job.__table__)
_STUDIES = cast(Table, Study.__table__)
_OLDEST = (
    select(_ATTEMPTS.c.id)
    .join(_JOBS, _JOBS.c.id == _ATTEMPTS.c.job_id)
    .join(_STUDIES, _STUDIES.c.id == _JOBS.c.study_id)
    .where(
        _ATTEMPTS.c.id.between(bindparam("first"), bindparam("last")),
        _ATTEMPTS.c.state == AttemptState.QUEUED,
        _STUDIES.c.state.in_(ACTIVE),
        _STUDIES.c.id.not_in(_PASSED_OVER),
    )
    .order_by(_ATTEMPTS.c.id)
    .limit(1)
    .with_for_update(of=_ATTEMPTS, skip_locked=True)
    .scalar_subquery()
)
_TAKE = (
    update(_ATTEMPTS)
    .where(_ATTEMPTS.c.id == _OLDEST, _ATTEMPTS.c.state == AttemptState.QUEUED)
    .values(
        state=AttemptState.RUNNING,
        fence=_ATTEMPTS.c.fence + 1,
        worker_id=bindparam("new_worker"),
        slot=bindparam("new_slot"),
        started_at=bindparam("now"),
        lease_expires_at=bindparam("new_expiry"),
        token_sha256=bindparam("new_token"),
    )
    .returning(_ATTEMPTS.c.uid)
)
