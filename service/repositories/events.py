"""Queries on events."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from recipes.study import StudyState
from service.clock import utc_now
from service.database.models import Event, Study
from service.repositories import studies
from service.views.models import EventView, StudyEventView

OPEN = tuple(state for state in StudyState if not state.has_ended)
"""States of studies in which something may still happen."""
MOST_AT_ONCE = 200
"""Studies in one statement: SQLite takes expressions of a depth of 1,000."""


class Head(NamedTuple):
    """How far the events of a study go."""

    study_id: int
    uid: str
    sequence: int
    has_ended: bool
    created_at: datetime


def add(
    session: Session, study_id: int, *, kind: str, payload: Mapping[str, Any], alone: bool
) -> str:
    """Write an event with the study's next sequence; return the study's uid.

    Args:
        session: A write session.
        study_id: The study's row, locked from here on.
        kind: What sort of event.
        payload: JSON scalars.
        alone: Whether earlier events of this kind go: the new one says all they said.
    """
    if alone:
        session.execute(_FORGET_KIND, {"of_study": study_id, "of_kind": kind})
    uid, sequence = session.execute(_COUNT_ONE, {"of_study": study_id}).one()
    text = json.dumps(payload, allow_nan=False)
    event = {"study_id": study_id, "sequence": sequence, "kind": kind, "payload": text}
    session.execute(_ADD, {**event, "at": utc_now()})
    return str(uid)


# Made once, and of tables: with each batch of points, making them took longer than SQLite's part.
_EVENTS, _STUDIES = cast(Table, Event.__table__), cast(Table, Study.__table__)
_FORGET_KIND = delete(_EVENTS).where(
    _EVENTS.c.study_id == bindparam("of_study"), _EVENTS.c.kind == bindparam("of_kind")
)
_COUNT_ONE = (
    update(_STUDIES)
    .where(_STUDIES.c.id == bindparam("of_study"))
    .values(num_events=_STUDIES.c.num_events + 1)
    .returning(_STUDIES.c.uid, _STUDIES.c.num_events)
)
_ADD = insert(_EVENTS)


def since(session: Session, study_uid: str, after: int, limit: int) -> list[EventView]:
    """Events with a sequence above ``after``, oldest first."""
    study_id = studies.require_id(session, study_uid)
    rows = session.execute(
        select(Event.sequence, Event.kind, Event.payload, Event.at)
        .where(Event.study_id == study_id, Event.sequence > after)
        .order_by(Event.sequence)
        .limit(limit)
    )
    return [
        EventView(sequence=sequence, kind=kind, payload=json.loads(payload), at=at)
        for sequence, kind, payload, at in rows
    ]


def latest(session: Session, study_uid: str) -> int:
    """The sequence of a study's newest event; 0 when there is none."""
    study_id = studies.require_id(session, study_uid)
    return session.execute(select(Study.num_events).where(Study.id == study_id)).scalar_one()


def newest_kept(session: Session, study_uid: str) -> int:
    """The highest sequence of a study's events that are still kept; 0 when there is none."""
    query = (
        select(func.max(Event.sequence))
        .join(Study, Study.id == Event.study_id)
        .where(Study.uid == study_uid)
    )
    return session.scalar(query) or 0


def heads_open(session: Session, floor: int) -> list[Head]:
    """The studies that have not ended, and every one with a key above ``floor``."""
    return _heads(session, or_(Study.state.in_(OPEN), Study.id > floor))


def heads_of(session: Session, study_ids: Collection[int]) -> list[Head]:
    """Those of some studies that are there."""
    return _heads(session, Study.id.in_(study_ids))


def heads_named(session: Session, uids: Collection[str]) -> list[Head]:
    """Those of some studies that are there, by their public names."""
    return _heads(session, Study.uid.in_(uids))


def newest_before(session: Session, moment: datetime) -> int:
    """The highest key of a study that was created before a moment; 0 when there is none."""
    return session.scalar(select(func.max(Study.id)).where(Study.created_at < moment)) or 0


def num_up_to(session: Session, study_id: int) -> int:
    """How many studies there are with a key up to this one."""
    query = select(func.count()).where(Study.id <= study_id, studies.is_there())
    return session.execute(query).scalar_one()


def since_of(
    session: Session, after: Mapping[int, int], *, limit: int
) -> list[tuple[int, StudyEventView]]:
    """Events of some studies, those of each above a sequence of its own, oldest first.

    Args:
        session: Any session.
        after: The sequences, by the studies' keys.
        limit: Most events.

    Returns:
        The studies' keys with the events; of each study in order.
    """
    found: list[tuple[int, StudyEventView]] = []
    places = list(after.items())
    for first in range(0, len(places), MOST_AT_ONCE):
        wanted = (
            and_(Event.study_id == study_id, Event.sequence > sequence)
            for study_id, sequence in places[first : first + MOST_AT_ONCE]
        )
        rows = session.execute(
            select(Event.study_id, Study.uid, Event.sequence, Event.kind, Event.payload, Event.at)
            .join(Study, Study.id == Event.study_id)
            .where(or_(*wanted))
            .order_by(Event.id)
            .limit(limit - len(found))
        )
        for study_id, uid, sequence, kind, payload, at in rows:
            event = StudyEventView(
                study=uid, sequence=sequence, kind=kind, payload=json.loads(payload), at=at
            )
            found.append((study_id, event))
    return found


def _heads(session: Session, condition: ColumnElement[bool]) -> list[Head]:
    rows: Sequence[Any] = session.execute(
        select(Study.id, Study.uid, Study.num_events, Study.state, Study.created_at)
        .where(condition, studies.is_there())
        .order_by(Study.id)
    ).all()
    return [
        Head(study_id, uid, sequence, state.has_ended, created_at)
        for study_id, uid, sequence, state, created_at in rows
    ]
