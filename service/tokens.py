"""Access tokens and browser sessions: 256-bit secrets, of which only the SHA-256 is stored.

Secrets of such entropy need no slow hash: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy.orm import Session

from service.clock import utc_now
from service.repositories import tokens as repository
from service.web.security import TokenScope

TOKEN_PREFIX = "svs_"
SESSION_PREFIX = "svss_"
SESSION_LIFETIME = timedelta(days=30)


def new_secret(prefix: str) -> str:
    """A fresh secret of 256 random bits. The prefix lets scanners recognise a leaked one."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret: its SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def identify(session: Session, secret: str) -> TokenScope | None:
    """The scope of a secret; None when it is unknown, revoked or has expired.

    The look-up is by digest, so that its time tells nothing about the secret.
    """
    token = repository.find(session, digest(secret))
    if token is None or token.revoked_at is not None:
        return None
    if token.expires_at is not None and token.expires_at <= utc_now():
        return None
    return TokenScope(token.scope)


def ensure_token(session: Session, secret: str | None, *, name: str, scope: TokenScope) -> str:
    """A token that is good: the given one if it is known with this scope, else a new one.

    Args:
        session: A write session.
        secret: The token of the last start, if there was one.
        name: What people call the new one.
        scope: What it is good for.
    """
    if secret is not None and identify(session, secret) is scope:
        return secret
    return _issue(session, TOKEN_PREFIX, name=name, scope=scope, lifetime=None)


def replace_token(session: Session, *, name: str, scope: TokenScope) -> str:
    """A fresh token for a use of its own; the one before it, of that name, is revoked."""
    for token in repository.list_tokens(session):
        if token.name == name and token.scope == scope and token.revoked_at is None:
            repository.revoke(session, token.uid)
    return _issue(session, TOKEN_PREFIX, name=name, scope=scope, lifetime=None)


def open_session(session: Session) -> str:
    """A browser's session: good for reading, for thirty days."""
    return _issue(
        session,
        SESSION_PREFIX,
        name="browser",
        scope=TokenScope.SESSION,
        lifetime=SESSION_LIFETIME,
    )


def _issue(
    session: Session, prefix: str, *, name: str, scope: TokenScope, lifetime: timedelta | None
) -> str:
    secret = new_secret(prefix)
    expires_at = None if lifetime is None else utc_now() + lifetime
    repository.add(
        session, name=name, digest=digest(secret), scope=scope.value, expires_at=expires_at
    )
    return secret
