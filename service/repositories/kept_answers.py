"""Queries on the answers that are kept for requests which come again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from service.database.models import KeptAnswer


def find(session: Session, owner: str, key: str, *, since: datetime) -> KeptAnswer | None:
    """What a request with a key was answered; None without one made after ``since``."""
    return session.scalar(
        select(KeptAnswer).where(
            KeptAnswer.owner == owner, KeptAnswer.key == key, KeptAnswer.created_at > since
        )
    )


def add(session: Session, answer: KeptAnswer) -> None:
    """Keep an answer. Raises IntegrityError when one is kept under its key."""
    session.add(answer)
    session.flush()


def forget(session: Session, before: datetime) -> None:
    """Remove those that were made before a moment."""
    session.execute(
        delete(KeptAnswer)
        .where(KeptAnswer.created_at <= before)
        .execution_options(synchronize_session=False)
    )
