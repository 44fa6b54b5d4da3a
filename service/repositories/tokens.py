"""Queries on access tokens. The tokens themselves are never stored, only their SHA-256."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.clock import utc_now
from service.database.models import Token
from service.errors import NotFound
from service.uids import new_uid


def add(
    session: Session, *, name: str, digest: str, scope: str, expires_at: datetime | None = None
) -> str:
    """Write a token; its uid.

    Args:
        session: A write session.
        name: For people, in lists.
        digest: SHA-256 of the token, in hex.
        scope: ``admin``, ``worker`` or ``session``.
        expires_at: When it stops being good; None: never.
    """
    token = Token(
        uid=new_uid(),
        name=name,
        sha256=digest,
        scope=scope,
        created_at=utc_now(),
        expires_at=expires_at,
    )
    session.add(token)
    session.flush()
    return token.uid


def find(session: Session, digest: str) -> Token | None:
    """The token of a digest, expired and revoked ones too."""
    return session.scalar(select(Token).where(Token.sha256 == digest))


def list_tokens(session: Session) -> Sequence[Token]:
    """Every token, oldest first."""
    return session.scalars(select(Token).order_by(Token.id)).all()


def revoke(session: Session, uid: str) -> None:
    """Make a token worthless from now on. Raises NotFound."""
    changed = session.scalar(
        update(Token)
        .where(Token.uid == uid)
        .values(revoked_at=utc_now())
        .returning(Token.id)
        .execution_options(synchronize_session=False)
    )
    if changed is None:
        raise NotFound("token", uid)
