"""Queries on studies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from recipes.study import StudyState
from service.database.models import Attempt, Job, Study, Trial
from service.database.types import OPEN_TRIAL_STATES
from service.errors import NotFound
from service.uids import is_uid

ACTIVE = (StudyState.PENDING, StudyState.RUNNING)
"""States in which a study's attempts are handed out and its conductor moves it on."""


def require(session: Session, uid: str, *, lock: bool = False) -> Study:
    """The study's row.

    Args:
        session: Any session; a write session to lock.
        uid: The study's public name.
        lock: Whether to hold the row until the transaction ends.

    Raises:
        NotFound: There is no such study.
    """
    if is_uid(uid):
        query = select(Study).where(Study.uid == uid)
        study = session.scalar(query.with_for_update() if lock else query)
        if study is not None:
            return study
    raise NotFound("study", uid)


def require_id(session: Session, uid: str) -> int:
    """The study's key. Raises NotFound."""
    found = session.scalar(select(Study.id).where(Study.uid == uid)) if is_uid(uid) else None
    if found is None:
        raise NotFound("study", uid)
    return found


def lock(session: Session, study_id: int) -> Study:
    """The study's row as it is now, held until the transaction ends."""
    query = select(Study).where(Study.id == study_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def id_of_attempt(session: Session, attempt_uid: str) -> int:
    """The key of an attempt's study. Raises NotFound."""
    study_id = None
    if is_uid(attempt_uid):
        study_id = session.scalar(
            select(Job.study_id)
            .join(Attempt, Attempt.job_id == Job.id)
            .where(Attempt.uid == attempt_uid)
        )
    if study_id is None:
        raise NotFound("attempt", attempt_uid)
    return study_id


def lock_of_attempt(session: Session, attempt_uid: str) -> Study:
    """The study of an attempt, held until the transaction ends. Raises NotFound."""
    return lock(session, id_of_attempt(session, attempt_uid))


def change(session: Session, study_id: int, **values: Any) -> None:
    """Change a study whose row is held."""
    session.execute(
        update(Study)
        .where(Study.id == study_id)
        .values(version=Study.version + 1, **values)
        .execution_options(synchronize_session=False)
    )


def change_if(session: Session, study_id: int, version: int, **values: Any) -> bool:
    """Change a study if nobody changed it since ``version`` was read; whether that was so."""
    changed = session.scalar(
        update(Study)
        .where(Study.id == study_id, Study.version == version)
        .values(version=version + 1, **values)
        .returning(Study.id)
        .execution_options(synchronize_session=False)
    )
    return changed is not None


def page(
    session: Session, *, state: StudyState | None, before: int | None, limit: int
) -> Sequence[Study]:
    """Studies by falling key, those below ``before``."""
    query = select(Study).order_by(Study.id.desc()).limit(limit)
    if state is not None:
        query = query.where(Study.state == state)
    if before is not None:
        query = query.where(Study.id < before)
    return session.scalars(query).all()


def movable_uids(session: Session) -> Sequence[str]:
    """Studies with a decision to take, oldest first: described, and no trial under way."""
    is_busy = exists().where(Trial.study_id == Study.id, Trial.state.in_(OPEN_TRIAL_STATES))
    return session.scalars(
        select(Study.uid)
        .where(Study.state.in_(ACTIVE), Study.description.is_not(None), ~is_busy)
        .order_by(Study.id)
    ).all()
