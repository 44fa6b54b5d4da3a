"""Who may ask for what: the Host check, tokens, cookies and security headers.

Loopback is no boundary: any page in a browser can send requests to 127.0.0.1 (DNS
rebinding; ShadowRay, CVE-2023-48022, and CVE-2025-62593 are what follows from trusting
it). So the Host header is checked and a token is needed, always, and by default: a path
that is not named as open here is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.problems import problem_response, wants_page

COOKIE = "sevenstep_session"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/openapi.json", "/docs", "/login"})
OPEN_PREFIXES = ("/assets/",)
WORKER_PREFIXES = ("/api/v1/workers/", "/api/v1/attempts/")
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # without a referrer a form's origin would be "null"
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FORM_PREFIX = "/studies/"
"""Paths that the pages' forms are sent to: a browser's session may write there and nowhere
else. What they change is looked at once more behind this (``service.pages.forms``)."""


class TokenScope(StrEnum):
    """What a token is good for."""

    ADMIN = "admin"  # everything
    WORKER = "worker"  # the worker-facing routes alone
    SESSION = "session"  # a browser's cookie: reading, and the forms of our pages


Identify = Callable[[str], TokenScope | None]
"""The scope of a secret that was presented; None for an unknown, expired or revoked one."""


class HostCheck:
    """Refuses requests that were addressed to another name than this service's.

    Args:
        app: What follows.
        allowed: Host names beside the loopback ones, without port; IPv6 in brackets.
    """

    def __init__(self, app: ASGIApp, *, allowed: Iterable[str]) -> None:
        self._app = app
        self._allowed = LOOPBACK_HOSTS | {name.lower() for name in allowed}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        hosts = Headers(scope=scope).getlist("host")
        name = host_name(hosts[0]) if len(hosts) == 1 else ""
        if name in self._allowed:
            await self._app(scope, receive, send)
            return
        answer = problem_response(
            403,
            "foreign_host",
            "this service does not answer to the name in the Host header; names it should"
            " answer to are listed in SEVENSTEP_ALLOWED_HOSTS",
            title="Foreign host",
        )
        await answer(scope, receive, send)


def host_name(host: str) -> str:
    """A Host header without its port, in lower case; IPv6 addresses keep their brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].rstrip(".")


class Authentication:
    """Lets a request through that shows a token good for it.

    A bearer token, or a browser's cookie, which is good for reading and for the forms of our
    own pages: so no page of somebody else's can make a browser write here.

    Args:
        app: What follows.
        identify: Looks a secret up; called in a thread.
    """

    def __init__(self, app: ASGIApp, *, identify: Identify) -> None:
        self._app = app
        self._identify = identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401 or 403; a browser is sent to the login page."""
        if scope["type"] != "http" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        bearer, cookie = bearer_token(headers), session_cookie(headers)
        secret = bearer or cookie
        known = await anyio.to_thread.run_sync(self._identify, secret) if secret else None
        if known is None or (known is TokenScope.SESSION) != (bearer is None):
            answer = (
                RedirectResponse(f"/login?next={quote(_target(scope))}", status_code=303)
                if wants_page(scope)
                else problem_response(
                    401,
                    "unauthorized",
                    "the token is not known, was revoked or has expired"
                    if secret
                    else "send a token: `Authorization: Bearer svs_...`",
                    headers={"WWW-Authenticate": "Bearer"},
                )
            )
        elif not may(known, scope["method"], scope["path"]):
            answer = problem_response(
                403, "out_of_scope", f"a token of scope {known} is not good for this request"
            )
        elif writes_by_cookie(known, scope["method"]) and not has_own_origin(headers):
            answer = problem_response(
                403, "foreign_origin", "a browser's session writes from this service's pages alone"
            )
        else:
            await self._app(scope, receive, send)
            return
        await answer(scope, receive, send)


def is_open(path: str) -> bool:
    """Whether a path needs no token."""
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)


def may(scope: TokenScope, method: str, path: str) -> bool:
    """Whether a token of this scope is good for a request."""
    if scope is TokenScope.ADMIN:
        return True
    if scope is TokenScope.WORKER:
        return path.startswith(WORKER_PREFIXES)
    if method == "POST":
        return path.startswith(FORM_PREFIX)
    return method in READING_METHODS and not path.startswith(WORKER_PREFIXES)


def writes_by_cookie(scope: TokenScope, method: str) -> bool:
    """Whether a request would change something on the word of a cookie."""
    return scope is TokenScope.SESSION and method not in READING_METHODS


def has_own_origin(headers: Headers) -> bool:
    """Whether a request comes from a page of the service it is sent to (RFC 6454).

    Browsers send ``Origin`` with every POST. Scheme and default port are left out of the
    comparison: a proxy in front may end TLS.
    """
    origin = headers.get("origin", "")
    scheme, _, host = origin.partition("://")
    return scheme in ("http", "https") and host.lower() == headers.get("host", "").lower()


def bearer_token(headers: Headers) -> str | None:
    """The token in the Authorization header, if there is one."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None


def session_cookie(headers: Headers) -> str | None:
    """The session in the cookie, if there is one."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel is not None and morsel.value else None


def _target(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    path: str = scope["path"]
    return f"{path}?{query}" if query else path


class SecurityHeaders:
    """Adds the security headers to every answer that does not carry its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add to the answer's headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
            await send(message)

        await self._app(scope, receive, send_with_headers)
