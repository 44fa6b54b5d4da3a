"""Queries on who writes points: several attempts at once, as their requests share a commit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, and_, bindparam, select
from sqlalchemy.orm import Session

from recipes.wire import AttemptState
from service.database.models import Attempt, AttemptMember, Job, JobMember, Study, Trial


class Member(NamedTuple):
    """A trial of an attempt. ``is_done`` says whether its part in the job is over."""

    trial_id: int
    is_done: bool


@dataclass(frozen=True, slots=True)
class Writer:
    """An attempt as it is now, and its members by their trials' numbers."""

    attempt_id: int
    study_id: int
    fence: int
    state: AttemptState
    heard_at: datetime | None
    members: dict[int, Member] = field(default_factory=dict)


def lock(session: Session, uids: Collection[str]) -> dict[str, Writer]:
    """Attempts by their uids, those that there are; their studies are held from here on.

    Studies are locked in the order of their keys, as everywhere, and before anything of the
    attempts is read: who waited for a lock sees what its holder did.
    """
    of_them = {"attempts": [*uids]}
    if session.connection().dialect.name != "sqlite":  # there the one writer holds everything
        session.execute(_LOCK, of_them)
    rows = session.execute(_FIND, of_them)
    found: dict[str, Writer] = {}
    for uid, attempt_id, study_id, fence, state, heard_at, number, trial_id, trial_state in rows:
        writer = found.setdefault(uid, Writer(attempt_id, study_id, fence, state, heard_at))
        if trial_state is not None:  # a describe job has no members
            writer.members[number] = Member(trial_id, trial_state.has_ended)
    return found


# Made once: with each batch of points, making them took longer than SQLite's part.
_UIDS: BindParameter[Any] = bindparam("attempts", expanding=True)
_LOCK = (
    select(Study.id)
    .where(
        Study.id.in_(
            select(Job.study_id)
            .join(Attempt, Attempt.job_id == Job.id)
            .where(Attempt.uid.in_(_UIDS))
        )
    )
    .order_by(Study.id)
    .with_for_update()
)
_FIND = (
    select(
        Attempt.uid,
        Attempt.id,
        Job.study_id,
        Attempt.fence,
        Attempt.state,
        Attempt.heard_at,
        Trial.number,
        Trial.id,
        JobMember.state,
    )
    .join(Job, Job.id == Attempt.job_id)
    .outerjoin(AttemptMember, AttemptMember.attempt_id == Attempt.id)
    .outerjoin(Trial, Trial.id == AttemptMember.trial_id)
    .outerjoin(
        JobMember,
        and_(JobMember.job_id == Attempt.job_id, JobMember.trial_id == Trial.id),
    )
    .where(Attempt.uid.in_(_UIDS))
    .order_by(Trial.number)
)
