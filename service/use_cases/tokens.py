"""Access tokens, browser sessions and sign-in links: of each secret only the SHA-256 is stored.

All are 256 random bits. Secrets of such entropy need no slow hash: there is nothing to guess.

- A **token** (``svs_``) has a scope, read, write, admin or worker; it may expire and can be
  revoked.
- A **session** (``svss_``) is a browser's cookie. It has the scope of the token that it was
  opened with, and goes with it.
- A **sign-in link** holds a code (``svsl_``) that opens one session, once, in place of a
  token: what stands in a browser's history or a proxy's log afterwards is worth nothing.
- An **attempt's token** (``svsa_``) is handed out with the attempt and good for its routes
  alone. It lives in the attempt's row.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta

from sqlalchemy.orm import Session

from service.access import Access, TokenScope
from service.clock import database_now, utc_now
from service.errors import InvalidInput
from service.repositories import tokens as repository
from service.repositories.tokens import Known
from service.streams.events import publish_on_commit

TOKEN_PREFIX = "svs_"
SESSION_PREFIX = "svss_"
LINK_PREFIX = "svsl_"
ATTEMPT_PREFIX = "svsa_"
LINK = "link"
"""Stored as a sign-in link's scope. It is no ``TokenScope``: nobody is let in by it."""
LIFELONG_SCOPES = (TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN, TokenScope.WORKER)
"""Scopes that a token may have."""
BROWSER_SCOPES = (TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN)
"""Scopes that a browser may sign in with."""

SESSION_LIFETIME = timedelta(days=30)
LINK_LIFETIME = timedelta(days=1)
"""From the morning's `serve` to the evening's look; a used one is worthless at once."""
ATTEMPT_GRACE = timedelta(minutes=10)
"""How long an attempt's token outlives it, so that a finish sent again is still answered."""
KEPT_AFTER_END = timedelta(days=7)
"""How long ended sessions and links are kept, for those who look into what happened."""
MAX_SECRET = 512
"""Longer than any secret of ours; nothing longer is looked up."""
ENROLLED = re.compile(r"svs_[A-Za-z0-9_-]{32,200}")
"""A token that was made elsewhere: recognisable, and with room for 128 random bits."""
TOKENS = "tokens"
"""Topic: a token was revoked."""


def new_secret(prefix: str) -> str:
    """A fresh secret of 256 random bits. The prefix lets scanners recognise a leaked one."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret: its SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def identify(session: Session, secret: str) -> Access | None:
    """Who has a secret; None when it is unknown, revoked or has expired.

    The look-up is by digest, so that its time tells nothing about the secret.

    Args:
        session: Any session.
        secret: As it was sent: a token, a session or an attempt's token.
    """
    if len(secret) > MAX_SECRET:
        return None
    if secret.startswith(ATTEMPT_PREFIX):
        return _identify_attempt(session, secret)
    known = _good(session, secret)
    if known is None or known.scope == LINK:
        return None
    return Access(TokenScope(known.scope), known.uid, known.is_session)


def issue(
    session: Session, *, name: str, scope: TokenScope, lifetime: timedelta | None = None
) -> tuple[str, str]:
    """Make a token.

    Args:
        session: A write session.
        name: What people call it, 1 to 100 characters.
        scope: What it is good for.
        lifetime: After which it is worthless; None: until it is revoked.

    Returns:
        Its uid, and the secret, which is nowhere else.

    Raises:
        InvalidInput: The name, the scope or the lifetime does not fit.
    """
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise InvalidInput("name", name[:100], "give 1 to 100 characters without line breaks")
    if scope not in LIFELONG_SCOPES:
        raise InvalidInput("scope", scope, f"give one of {', '.join(LIFELONG_SCOPES)}")
    if lifetime is not None and not timedelta(0) < lifetime <= timedelta(days=36_500):
        raise InvalidInput(
            "lifetime", str(lifetime), "give more than nothing, and at most a century"
        )
    secret = new_secret(TOKEN_PREFIX)
    now = utc_now()
    token = repository.add(
        session,
        name=name,
        digest=digest(secret),
        scope=scope,
        now=now,
        expires_at=None if lifetime is None else now + lifetime,
    )
    return token.uid, secret


def revoke(session: Session, uid: str) -> None:
    """Make a token or a session worthless, within a second on every process of the service.

    Sessions that a token opened go with it. Revoking twice changes nothing.

    Raises:
        NotFound: There is no such token.
    """
    repository.revoke(session, uid, utc_now())
    publish_on_commit(session, TOKENS)


def ensure_token(session: Session, secret: str | None, *, name: str, scope: TokenScope) -> str:
    """A token that is good: the given one if it is known with this scope, else a new one.

    Args:
        session: A write session.
        secret: The token of the last start, if there was one.
        name: What people call the new one.
        scope: What it is good for.
    """
    if secret is not None:
        access = identify(session, secret)
        if access is not None and access.scope is scope and not access.is_session:
            return secret
    return issue(session, name=name, scope=scope)[1]


def enrol(session: Session, secret: str, *, name: str, scope: TokenScope) -> None:
    """Make a token that was made elsewhere known, unless it is already.

    Args:
        session: A write session.
        secret: ``svs_`` and at least 32 letters, digits, - or _.
        name: What people call it.
        scope: What it is good for.

    Raises:
        InvalidInput: It is no such text, was revoked, or is known with another scope. The
            secret is not repeated.
    """
    field = f"{scope}_token"
    if not ENROLLED.fullmatch(secret):
        raise InvalidInput(
            field,
            "...",
            'send svs_ and at least 32 random characters: "svs_$(openssl rand -hex 32)"',
        )
    # Written first, then looked for: two services may start at once with the same secret.
    repository.add_unless_known(
        session, name=name, digest=digest(secret), scope=scope, now=utc_now()
    )
    known = repository.find(session, digest(secret))
    assert known is not None
    if known.scope != scope or _has_ended(known):
        raise InvalidInput(
            field, "...", f"it was revoked or is no token of scope {scope}; make another one"
        )


def replace_token(session: Session, *, name: str, scope: TokenScope) -> str:
    """A fresh token for a use of its own; the one before it, of that name, is revoked."""
    for uid in repository.named(session, name, scope):
        revoke(session, uid)
    return issue(session, name=name, scope=scope)[1]


def may_open_session(session: Session, secret: str) -> bool:
    """Whether a secret is a good one that may open a session; asked of a read session.

    Args:
        session: Any session.
        secret: As :func:`open_session` takes it, which decides.
    """
    known = _good(session, secret) if len(secret) <= MAX_SECRET else None
    return known is not None and not known.is_session


def open_session(session: Session, secret: str) -> str | None:
    """A browser's session: with the scope of a token, for thirty days, and never beyond it.

    Args:
        session: A write session.
        secret: A token of scope read, write or admin, or a link's code, which is used up.

    Returns:
        The session's secret; None when the other opens none (any more).
    """
    known = _good(session, secret) if len(secret) <= MAX_SECRET else None
    if known is None or known.is_session:
        return None
    now = utc_now()
    opener = known.id
    if known.scope == LINK:
        if known.opened_by_id is None or not repository.use_up(session, known.id, now):
            return None
        opener = known.opened_by_id
    scope = repository.scope_of(session, opener)
    if scope not in BROWSER_SCOPES:
        return None
    repository.forget_ended(session, link_scope=LINK, before=now - KEPT_AFTER_END)
    made = new_secret(SESSION_PREFIX)
    repository.add(
        session,
        name="browser",
        digest=digest(made),
        scope=scope,
        now=now,
        expires_at=now + SESSION_LIFETIME,
        is_session=True,
        opened_by_id=opener,
    )
    return made


def open_link(session: Session, uid: str) -> str:
    """The code of a sign-in link: opens one session with the scope of a token, once.

    Args:
        session: A write session.
        uid: The token's, of scope read, write or admin.

    Raises:
        NotFound: There is no such token.
        InvalidInput: It is not good, or no token that a browser may sign in with.
    """
    known = repository.get(session, uid)
    if _has_ended(known) or known.is_session or known.scope not in BROWSER_SCOPES:
        raise InvalidInput(
            "token", uid, f"give one of scope {', '.join(BROWSER_SCOPES)} that is still good"
        )
    now = utc_now()
    repository.forget_ended(session, link_scope=LINK, before=now - KEPT_AFTER_END)
    code = new_secret(LINK_PREFIX)
    repository.add(
        session,
        name="sign-in link",
        digest=digest(code),
        scope=LINK,
        now=now,
        expires_at=now + LINK_LIFETIME,
        opened_by_id=known.id,
    )
    return code


def _good(session: Session, secret: str) -> Known | None:
    known = repository.find(session, digest(secret))
    return None if known is None or _has_ended(known) else known


def _has_ended(known: Known) -> bool:
    now = utc_now()
    return any(end is not None and end <= now for end in known.ends)


def _identify_attempt(session: Session, secret: str) -> Access | None:
    held = repository.find_attempt(session, digest(secret))
    if held is None:
        return None
    if held.state.has_ended and (
        held.ended_at is None or held.ended_at + ATTEMPT_GRACE <= database_now(session)
    ):
        return None
    return Access(TokenScope.ATTEMPT, held.uid)
