"""Queries on access tokens. The tokens themselves are never stored, only their SHA-256."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.orm import Session, aliased

from recipes.wire import AttemptState
from service.database.models import Attempt, Token
from service.database.statements import insert_new
from service.errors import NotFound
from service.uids import is_uid, new_uid

_Opener = aliased(Token)


class Known(NamedTuple):
    """What is stored of a secret that was presented.

    ``ends`` are the moments from which it is worthless: its own and, of a session, those of
    the token it was opened with. None among them: no such moment.
    """

    id: int
    uid: str
    scope: str
    is_session: bool
    opened_by_id: int | None
    ends: tuple[datetime | None, ...]


class AttemptHeld(NamedTuple):
    """The attempt a token was handed out with."""

    uid: str
    state: AttemptState
    ended_at: datetime | None


def add(
    session: Session,
    *,
    name: str,
    digest: str,
    scope: str,
    now: datetime,
    expires_at: datetime | None = None,
    is_session: bool = False,
    opened_by_id: int | None = None,
) -> Token:
    """Write a token.

    Args:
        session: A write session.
        name: For people, in lists.
        digest: SHA-256 of the token, in hex.
        scope: See ``service.use_cases.tokens``.
        now: When it is made.
        expires_at: When it stops being good; None: never.
        is_session: Whether it is a browser's.
        opened_by_id: The token that it goes with.
    """
    token = Token(
        uid=new_uid(),
        name=name,
        sha256=digest,
        scope=scope,
        is_session=is_session,
        opened_by_id=opened_by_id,
        created_at=now,
        expires_at=expires_at,
    )
    session.add(token)
    session.flush()
    return token


def add_unless_known(
    session: Session, *, name: str, digest: str, scope: str, now: datetime
) -> None:
    """Write a token unless one of its digest is there, from another process meanwhile too.

    Args:
        session: A write session.
        name: For people, in lists.
        digest: SHA-256 of the token, in hex.
        scope: See ``service.use_cases.tokens``.
        now: When it is made.
    """
    row = {"uid": new_uid(), "name": name, "sha256": digest, "scope": scope, "created_at": now}
    insert_new(session, Token, [row])


def find(session: Session, digest: str) -> Known | None:
    """What is stored of a secret, expired and revoked ones too."""
    return _known(session.execute(_BY_DIGEST, {"of_digest": digest}).first())


def get(session: Session, uid: str) -> Known:
    """What is stored of a token, by its public name. Raises NotFound."""
    found = None
    if is_uid(uid):
        found = _known(session.execute(_BY_UID, {"of_uid": uid}).first())
    if found is None:
        raise NotFound("token", uid)
    return found


def by_uid(session: Session, uid: str) -> Token:
    """A token that is there, by its public name."""
    return session.scalars(select(Token).where(Token.uid == uid)).one()


def _known(row: Sequence[Any] | None) -> Known | None:
    if row is None:
        return None
    key, uid, scope, is_session, opened_by_id, *ends = row
    return Known(key, uid, scope, is_session, opened_by_id, tuple(ends))


# Made once: with each request, making them took longer than SQLite's part.
_KNOWN = select(
    Token.id,
    Token.uid,
    Token.scope,
    Token.is_session,
    Token.opened_by_id,
    Token.expires_at,
    Token.revoked_at,
    _Opener.expires_at,
    _Opener.revoked_at,
).outerjoin(_Opener, _Opener.id == Token.opened_by_id)
_BY_DIGEST = _KNOWN.where(Token.sha256 == bindparam("of_digest"))
_BY_UID = _KNOWN.where(Token.uid == bindparam("of_uid"))


def find_attempt(session: Session, digest: str) -> AttemptHeld | None:
    """The attempt that was handed out with a token."""
    row = session.execute(_ATTEMPT, {"of_digest": digest}).first()
    return None if row is None else AttemptHeld._make(row)


_ATTEMPT = select(Attempt.uid, Attempt.state, Attempt.ended_at).where(
    Attempt.token_sha256 == bindparam("of_digest")
)


def named(session: Session, name: str, scope: str) -> Sequence[str]:
    """Uids of the tokens of that name and scope that were not revoked."""
    return session.scalars(
        select(Token.uid).where(
            Token.name == name, Token.scope == scope, Token.revoked_at.is_(None)
        )
    ).all()


def scope_of(session: Session, token_id: int) -> str:
    """The scope of a token, by its key."""
    return session.get_one(Token, token_id).scope


def page(
    session: Session,
    *,
    scopes: Sequence[str],
    good_at: datetime | None,
    before: int | None,
    limit: int,
) -> Sequence[tuple[Token, str | None]]:
    """Tokens by falling key, those below ``before``, each with the uid it was opened with.

    Args:
        session: Any session.
        scopes: Of which.
        good_at: Those alone that are good at this moment, themselves; None: all of them.
        before: A token's key.
        limit: At most so many.
    """
    query = (
        select(Token, _Opener.uid)
        .outerjoin(_Opener, _Opener.id == Token.opened_by_id)
        .where(Token.scope.in_(scopes))
        .order_by(Token.id.desc())
        .limit(limit)
    )
    if good_at is not None:
        query = query.where(
            Token.revoked_at.is_(None),
            or_(Token.expires_at.is_(None), Token.expires_at > good_at),
            or_(_Opener.id.is_(None), _Opener.revoked_at.is_(None)),
            or_(_Opener.expires_at.is_(None), _Opener.expires_at > good_at),
        )
    if before is not None:
        query = query.where(Token.id < before)
    return [(token, opener) for token, opener in session.execute(query)]


def revoke(session: Session, uid: str, now: datetime) -> None:
    """Make a token worthless from now on; one that is already stays as it is.

    Raises:
        NotFound: There is no such token.
    """
    session.execute(
        update(Token)
        .where(Token.id == get(session, uid).id, Token.revoked_at.is_(None))
        .values(revoked_at=now)
        .execution_options(synchronize_session=False)
    )


def use_up(session: Session, token_id: int, now: datetime) -> bool:
    """Revoke a token; whether it was this call that did. Of two at once one gets True."""
    changed = session.scalar(
        update(Token)
        .where(Token.id == token_id, Token.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(Token.id)
        .execution_options(synchronize_session=False)
    )
    return changed is not None


def forget_ended(session: Session, *, link_scope: str, before: datetime) -> None:
    """Delete sessions and sign-in links that came to their end before a moment."""
    session.execute(
        delete(Token)
        .where(
            or_(Token.is_session, Token.scope == link_scope),
            or_(Token.expires_at < before, Token.revoked_at < before),
        )
        .execution_options(synchronize_session=False)
    )
