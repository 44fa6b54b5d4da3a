"""Queries on the answers that are kept for requests which come again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, or_, select
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


def forget_naming(session: Session, uid: str) -> None:
    """Remove those that name something by its uid."""
    session.execute(
        delete(KeptAnswer)
        .where(
            or_(
                KeptAnswer.body.contains(uid, autoescape=True),
                KeptAnswer.headers.contains(uid, autoescape=True),
            )
        )
        .execution_options(synchronize_session=False)
    )


def forget(session: Session, before: datetime) -> None:
    """Remove those that were made before a moment."""
    session.execute(
        delete(KeptAnswer)
        .where(KeptAnswer.created_at <= before)
        .execution_options(synchronize_session=False)
    )
