"""Queries on studies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, or_, select, update
from sqlalchemy.orm import Session

from recipes.run import JobKind
from recipes.study import StudyState
from service.clock import database_now
from service.database.models import Attempt, Job, JobMember, Study, Trial
from service.database.statements import json_text
from service.database.types import OPEN_TRIAL_STATES
from service.errors import NotFound
from service.uids import DELETED, is_uid

Found = TypeVar("Found")

ACTIVE = (StudyState.PENDING, StudyState.RUNNING)
"""States in which a study's attempts are handed out and its conductor moves it on."""


class ActiveSpan(NamedTuple):
    """An active study, and since when its time is not in its ``active_seconds`` yet."""

    study_id: int
    since: datetime | None


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


def is_there() -> ColumnElement[bool]:
    """Whether a study was not deleted. Needed where studies are not asked for by uid."""
    return ~Study.uid.startswith(DELETED, autoescape=True)


def require_id(session: Session, uid: str) -> int:
    """The study's key. Raises NotFound."""
    found = session.scalar(select(Study.id).where(Study.uid == uid)) if is_uid(uid) else None
    if found is None:
        raise NotFound("study", uid)
    return found


def lock(session: Session, study_id: int) -> Study:
    """The study's row as it is now, held until the transaction ends."""
    return session.scalars(_LOCK, {"of_study": study_id}).one()


# Statements of what happens with every job are made once: making them took longer than SQLite's
# part.
_LOCK = (
    select(Study)
    .where(Study.id == bindparam("of_study"))
    .with_for_update()
    .execution_options(populate_existing=True)
)


def id_of_attempt(session: Session, attempt_uid: str) -> int:
    """The key of an attempt's study. Raises NotFound."""
    return _of_attempt(session, _ID_OF_ATTEMPT, attempt_uid)


_ID_OF_ATTEMPT = (
    select(Job.study_id)
    .join(Attempt, Attempt.job_id == Job.id)
    .where(Attempt.uid == bindparam("of_attempt"))
)


def lock_of_attempt(session: Session, attempt_uid: str) -> Study:
    """The study of an attempt as it is now, held until the transaction ends. Raises NotFound."""
    return _of_attempt(session, _LOCK_OF_ATTEMPT, attempt_uid)


_LOCK_OF_ATTEMPT = (
    select(Study)
    .join(Job, Job.study_id == Study.id)
    .join(Attempt, Attempt.job_id == Job.id)
    .where(Attempt.uid == bindparam("of_attempt"))
    .with_for_update(of=Study)
    .execution_options(populate_existing=True)
)


def _of_attempt(session: Session, query: Select[Found], attempt_uid: str) -> Found:
    """What a query on ``of_attempt`` finds. Raises NotFound."""
    found = session.scalar(query, {"of_attempt": attempt_uid}) if is_uid(attempt_uid) else None
    if found is None:
        raise NotFound("attempt", attempt_uid)
    return found


def change(session: Session, study_id: int, **values: Any) -> None:
    """Change a study whose row is held; with a ``state``, its active time too."""
    session.execute(
        update(Study)
        .where(Study.id == study_id)
        .values(version=Study.version + 1, **values)
        .execution_options(synchronize_session=False)
    )
    if "state" in values:
        _turn_clock(session, study_id, values["state"])


def change_if(session: Session, study_id: int, version: int, **values: Any) -> bool:
    """Change a study if nobody changed it since ``version`` was read; whether that was so.

    With a ``state``, its active time changes too.
    """
    changed = session.scalar(
        update(Study)
        .where(Study.id == study_id, Study.version == version)
        .values(version=version + 1, **values)
        .returning(Study.id)
        .execution_options(synchronize_session=False)
    )
    if changed is not None and "state" in values:
        _turn_clock(session, study_id, values["state"])
    return changed is not None


def active_spans(session: Session) -> list[ActiveSpan]:
    """The studies whose time is counted now."""
    rows = session.execute(
        select(Study.id, Study.active_since).where(Study.state.in_(ACTIVE)).order_by(Study.id)
    )
    return [ActiveSpan._make(row) for row in rows]


def count_active(session: Session, span: ActiveSpan, seconds: float, now: datetime) -> None:
    """Take ``seconds`` of an active study's time as gone by until ``now``.

    Nothing happens when somebody else was faster. The version stays: no decision that is
    being made must be made again for it.
    """
    is_seen = (
        Study.active_since.is_(None) if span.since is None else Study.active_since == span.since
    )
    session.execute(
        update(Study)
        .where(Study.id == span.study_id, Study.state.in_(ACTIVE), is_seen)
        .values(active_seconds=Study.active_seconds + seconds, active_since=now)
        .execution_options(synchronize_session=False)
    )


def _turn_clock(session: Session, study_id: int, state: StudyState) -> None:
    """Start or stop a study's active time. Its row is held."""
    since = session.execute(select(Study.active_since).where(Study.id == study_id)).scalar_one()
    if (state in ACTIVE) == (since is not None):
        return
    now = database_now(session)
    gone_by = 0.0 if since is None else max(0.0, (now - since).total_seconds())
    session.execute(
        update(Study)
        .where(Study.id == study_id)
        .values(
            active_seconds=Study.active_seconds + gone_by,
            active_since=now if state in ACTIVE else None,
        )
        .execution_options(synchronize_session=False)
    )


def active_configs(session: Session, study_ids: Collection[int]) -> list[tuple[int, str]]:
    """Id and stored config of those of some studies that are active."""
    rows = session.execute(
        select(Study.id, Study.config).where(Study.id.in_(study_ids), Study.state.in_(ACTIVE))
    )
    return [(study_id, config) for study_id, config in rows]


def page(
    session: Session,
    *,
    state: StudyState | None,
    before: int | None,
    limit: int,
    text: str = "",
    without: StudyState | None = None,
) -> Sequence[Study]:
    """Studies by falling key, those below ``before``.

    Args:
        session: Any session.
        state: In this state alone.
        before: The key that a page before ended at.
        limit: Most of them.
        text: With this in their name, their task or their id, whatever the case.
        without: Not in this state.
    """
    query = select(Study).where(is_there()).order_by(Study.id.desc()).limit(limit)
    if state is not None:
        query = query.where(Study.state == state)
    if without is not None:
        query = query.where(Study.state != without)
    if before is not None:
        query = query.where(Study.id < before)
    if text:
        fields = (Study.name, Study.uid, json_text(session, Study.config, "task"))
        query = query.where(or_(*(each.icontains(text, autoescape=True) for each in fields)))
    return session.scalars(query).all()


def count_by_state(session: Session) -> dict[StudyState, int]:
    """How many studies are in each state that has any."""
    query = select(Study.state, func.count()).where(is_there()).group_by(Study.state)
    return dict(session.execute(query).all())


def movable_uids(session: Session) -> Sequence[str]:
    """Studies with a decision to take, oldest first: described, and no job under way.

    Trials that wait at a rung are members of no open job, so they hold nothing up.
    """
    return session.scalars(_MOVABLE).all()


def is_busy(session: Session, study_id: int) -> bool:
    """Whether one of the study's jobs is under way."""
    return session.scalar(_IF_BUSY, {"of_study": study_id}) is not None


def _is_busy() -> ColumnElement[bool]:
    has_open_member = exists().where(
        Trial.study_id == Study.id,
        Trial.state.in_(OPEN_TRIAL_STATES),
        JobMember.trial_id == Trial.id,
        JobMember.state.in_(OPEN_TRIAL_STATES),
    )
    is_described = exists().where(
        Job.study_id == Study.id,
        Job.kind == JobKind.DESCRIBE,
        Job.state.in_(OPEN_TRIAL_STATES),
    )
    return or_(has_open_member, is_described)


_MOVABLE = (
    select(Study.uid)
    .where(Study.state.in_(ACTIVE), Study.description.is_not(None), ~_is_busy())
    .order_by(Study.id)
)
_IF_BUSY = select(Study.id).where(Study.id == bindparam("of_study"), _is_busy())
