"""Queries on events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from service.clock import utc_now
from service.database.models import Event, Study
from service.repositories import studies
from service.views import EventView


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
        session.execute(delete(Event).where(Event.study_id == study_id, Event.kind == kind))
    uid, sequence = session.execute(
        update(Study)
        .where(Study.id == study_id)
        .values(num_events=Study.num_events + 1)
        .returning(Study.uid, Study.num_events)
    ).one()
    text = json.dumps(payload, allow_nan=False)
    session.execute(
        insert(Event).values(
            study_id=study_id, sequence=sequence, kind=kind, payload=text, at=utc_now()
        )
    )
    return str(uid)


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
