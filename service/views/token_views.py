"""Tokens as they are listed and answered: never their secrets, but for the one just made."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field
from sqlalchemy.orm import Session

from recipes.value import Value
from service.access import TokenScope
from service.clock import utc_now
from service.database.models import Token
from service.repositories import tokens as repository
from service.streams import cursors
from service.use_cases import tokens

CENTURY_SECONDS = 36_500 * 86_400
CURSOR = "token"


class TokenView(Value):
    """A token, or a browser's session.

    Attributes:
        opened_by: Of a session: the id of the token that it was opened with and goes with.
        expires_at: From then on it is worthless; null: it does not expire.
        revoked_at: Since then it is worthless.
    """

    id: str
    kind: Literal["token", "session"]
    name: str
    scope: TokenScope
    opened_by: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class TokenPage(Value):
    """Tokens, newest first. ``next_cursor`` asks for the next page; None: there is none."""

    items: tuple[TokenView, ...]
    next_cursor: str | None


class NewToken(Value):
    """What a new token is to be."""

    name: str = Field(min_length=1, max_length=100, description="What people call it")
    scope: Literal["read", "write", "admin", "worker"]
    lifetime_seconds: int | None = Field(
        default=None, ge=1, le=CENTURY_SECONDS, description="null: until it is revoked"
    )


class MadeToken(Value):
    """A new token with its secret, which is shown this once and stored nowhere."""

    id: str
    name: str
    scope: TokenScope
    expires_at: datetime | None
    token: str = Field(repr=False)


class SignInLink(Value):
    """A link that signs one browser in, once."""

    path: str = Field(repr=False, description="Below the service's own address")
    expires_at: datetime


def make(session: Session, asked: NewToken) -> MadeToken:
    """Make a token. Raises InvalidInput: its name does not fit."""
    lifetime = asked.lifetime_seconds
    uid, secret = tokens.issue(
        session,
        name=asked.name,
        scope=TokenScope(asked.scope),
        lifetime=None if lifetime is None else timedelta(seconds=lifetime),
    )
    made = repository.by_uid(session, uid)
    return MadeToken(
        id=uid,
        name=made.name,
        scope=TokenScope(made.scope),
        expires_at=made.expires_at,
        token=secret,
    )


def list_tokens(
    session: Session, *, good_only: bool, limit: int, cursor: str | None = None
) -> TokenPage:
    """Tokens and browsers' sessions, newest first.

    Args:
        session: Any session.
        good_only: Leave out those that expired or were revoked.
        limit: At most so many.
        cursor: Of an earlier page.

    Raises:
        InvalidInput: The cursor is not one of this list's, or the limit does not fit.
    """
    cursors.check_limit(limit)
    rows = repository.page(
        session,
        scopes=tokens.LIFELONG_SCOPES,
        good_at=utc_now() if good_only else None,
        before=cursors.decode(CURSOR, cursor),
        limit=limit + 1,
    )
    shown = rows[:limit]
    more = len(rows) > limit
    return TokenPage(
        items=tuple(_view(token, opener) for token, opener in shown),
        next_cursor=cursors.encode(CURSOR, shown[-1][0].id) if more else None,
    )


def _view(token: Token, opener: str | None) -> TokenView:
    return TokenView(
        id=token.uid,
        kind="session" if token.is_session else "token",
        name=token.name,
        scope=TokenScope(token.scope),
        opened_by=opener,
        created_at=token.created_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
    )
