"""Who may ask for what: the Host check, tokens, cookies and security headers.

Loopback is no boundary: any page in a browser can send requests to 127.0.0.1 (DNS
rebinding; ShadowRay, CVE-2023-48022, and CVE-2025-62593 are what follows from trusting
it). So the Host header is checked and a token is needed, always, and by default: a path
that is not named as open here is closed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import quote

from sqlalchemy.exc import OperationalError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access import Access, TokenScope
from service.web.context import Context
from service.web.problems import database_problem, problem_response, wants_page
from service.web.scopes import (
    READING_METHODS,
    Found,
    Need,
    is_good_for,
    request_state,
)

__all__ = ["Access", "Authentication", "HostCheck", "SecurityHeaders", "TokenScope"]

COOKIE = "sevenstep_session"
"""Begins the name of every session's cookie; an installation's own part follows."""
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # without a referrer a form's origin would be "null"
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TRANSPORT_SECURITY = "max-age=31536000"
"""For a year over https alone (RFC 6797). Sent where the request came so: a service on plain
http, as on loopback, must not lock its own address out."""
NO_TOKEN = "send a token: `Authorization: Bearer svs_...`"

Identify = Callable[[str], Awaitable[Access | None]]
"""Who has a secret that was presented; None for an unknown, expired or revoked one."""


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
    """Lets a request through that shows a token good for its route.

    A bearer token, or a browser's cookie, which is good for reading and for the forms of our
    own pages: so no page of somebody else's can make a browser write here. Later layers find
    who it was in ``request.state.access`` (None on open routes without a token), the
    route's name in ``request.state.route_name``, and in ``request.state.is_still_good`` what
    requests that last ask again and again.

    Args:
        app: What follows.
        identify: Looks a secret up.
        find: The route that will answer a request.
    """

    def __init__(
        self, app: ASGIApp, *, identify: Identify, find: Callable[[Scope], Found]
    ) -> None:
        self._app = app
        self._identify = identify
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401 or 403; a browser is sent to the login page.

        503 where the database cannot be asked who it is.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = self._find(scope)
        headers = Headers(scope=scope)
        bearer, cookie = bearer_token(headers), session_cookie(scope)
        secret = bearer or cookie
        try:
            access = await self._identify(secret) if secret else None
        except OperationalError as error:  # the application's own handlers are further in
            await database_problem(scope, error)(scope, receive, send)
            return
        if access is not None and access.is_session != (bearer is None):
            access = None  # a cookie's secret is no bearer token, and the other way round
        state = request_state(scope)
        state["route_name"], state["access"] = found.name, access
        state["is_still_good"] = lambda: self._knows(secret)
        state["asked_method"] = scope["method"]  # a HEAD goes on as a GET
        answer = _refusal(scope, headers, found, access, has_secret=secret is not None)
        await (answer or self._app)(scope, receive, send)

    async def _knows(self, secret: str | None) -> bool:
        return secret is not None and await self._identify(secret) is not None


def _refusal(
    scope: Scope, headers: Headers, found: Found, access: Access | None, *, has_secret: bool
) -> Response | None:
    """Why a request is not let through, as an answer; None when it is."""
    if found.need is Need.NOTHING:
        return None
    if access is None:
        if wants_page(scope):
            return RedirectResponse(f"/login?next={quote(_target(scope))}", status_code=303)
        return unknown_token() if has_secret else _unauthorized(NO_TOKEN)
    if not is_good_for(access, found, scope["method"]):
        kind = "session" if access.is_session else "token"
        return problem_response(
            403,
            "out_of_scope",
            f"a {kind} of scope {access.scope} is not good for this request",
        )
    is_writing = scope["method"] not in READING_METHODS
    if access.is_session and is_writing and not has_own_origin(headers):
        return problem_response(
            403, "foreign_origin", "a browser's session writes from this service's pages alone"
        )
    return None


def unknown_token() -> Response:
    """The answer to a secret that is not good, or is not any more."""
    return _unauthorized("the token is not known, was revoked or has expired")


def _unauthorized(detail: str) -> Response:
    return problem_response(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})


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


def cookie_name(scope: Scope) -> str:
    """What this installation's sessions are called.

    Browsers send a cookie to every port of a host (RFC 6265, 8.5): of two services there each
    would find, and replace, the other one's.
    """
    context = scope["app"].state.context
    assert isinstance(context, Context)
    return f"{COOKIE}_{context.installation[:8]}"


def session_cookie(scope: Scope) -> str | None:
    """The session in this installation's cookie, if there is one; others may hold anything."""
    cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
    return cookies.get(cookie_name(scope)) or None


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
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", TRANSPORT_SECURITY)
            await send(message)

        await self._app(scope, receive, send_with_headers)
