"""What the person at a page may do, by the session that their browser shows."""

from __future__ import annotations

from fastapi import Request

from service.access import Access, TokenScope

WRITING = frozenset({TokenScope.WRITE, TokenScope.ADMIN})
"""Scopes whose sessions are shown forms (docs/reference/rest.md, "Tokens and scopes")."""


def access_of(request: Request) -> Access | None:
    """Who asks; None where a page is open to anyone."""
    access = getattr(request.state, "access", None)
    return access if isinstance(access, Access) else None


def may_write(request: Request) -> bool:
    """Whether a page shows its forms.

    What is shown is a courtesy: the request that a form sends is looked at by itself
    (``service.web.security`` and ``service.pages.forms``).
    """
    access = access_of(request)
    return access is not None and access.is_session and access.scope in WRITING


def has_session(request: Request) -> bool:
    """Whether a browser is signed in, and so can sign out."""
    access = access_of(request)
    return access is not None and access.is_session
