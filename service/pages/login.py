"""Signing a browser in, by the link that was printed or by a token that is pasted; and out."""

from __future__ import annotations

from urllib.parse import parse_qs

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from service.api.dependencies import ContextOf, WriteSession
from service.pages.rendering import render
from service.use_cases import tokens
from service.web.context import Context
from service.web.problems import problem_response
from service.web.security import cookie_name, has_own_origin

routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

MAX_FIELDS = 4
"""Fields of a sign-in form: a token and where to go on, and some room."""


@routes.get("/login")
def login_page(
    request: Request, context: ContextOf, code: str | None = None, next: str = "/studies"
) -> Response:
    """Sign a browser in by a link, whose code is good once; or ask for a token."""
    access = getattr(request.state, "access", None)
    is_signed_in = access is not None and access.is_session
    if code is None:
        return _login_form(request, next)
    is_looked_at = request.state.asked_method == "GET"
    if not is_looked_at or "prefetch" in request.headers.get("sec-purpose", ""):
        return _login_form(request, next)  # nobody looks yet: the code must not be used up
    secret = _open(context, code)
    if secret is None and is_signed_in:  # the link again, in the same browser
        return RedirectResponse(_own_address(request, next), status_code=303)
    return _sign_in(request, secret, next, by_link=True)


@routes.post("/login")
async def login(request: Request, context: ContextOf) -> Response:
    """Sign a browser in by a token that was pasted."""
    if "origin" in request.headers and not has_own_origin(request.headers):
        return problem_response(
            403, "foreign_origin", "a browser signs in from this service's own page alone"
        )
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields = parse_qs(body, max_num_fields=MAX_FIELDS)
    except ValueError:  # our form has two
        return _sign_in(request, None, "/studies", by_link=False)
    token, target = fields.get("token", [""])[0], fields.get("next", ["/studies"])[0]
    async with context.writers:
        secret = await anyio.to_thread.run_sync(_open, context, token.strip())
    return _sign_in(request, secret, target, by_link=False)


@routes.post("/logout")
def logout(request: Request, session: WriteSession) -> Response:
    """Sign a browser out: its session is worthless from now on, in every copy of its cookie."""
    tokens.revoke(session, request.state.access.owner)
    answer = RedirectResponse(_own_address(request, "/login"), status_code=303)
    answer.delete_cookie(
        cookie_name(request.scope),
        path=_root(request) or "/",
        httponly=True,
        samesite="strict",
        secure=_is_secure(request),
    )
    return answer


def _open(context: Context, secret: str) -> str | None:
    with context.database.read() as session:  # guesses must not queue up for the write lock
        if not tokens.may_open_session(session, secret):
            return None
    with context.database.write() as session:
        return tokens.open_session(session, secret)


def _sign_in(request: Request, secret: str | None, target: str, *, by_link: bool) -> Response:
    if secret is None:
        return _login_form(request, target, refused="link" if by_link else "token")
    address = _own_address(request, target)
    # A browser that comes from another site's page holds a strict cookie back all along the
    # redirects that follow; a page that goes on by itself is of this site.
    is_from_elsewhere = request.headers.get("sec-fetch-site") == "cross-site"
    answer: Response = (
        render(request, "signed_in.html", signed_in=False, address=address)
        if is_from_elsewhere
        else RedirectResponse(address, status_code=303)
    )
    answer.set_cookie(
        cookie_name(request.scope),
        secret,
        max_age=int(tokens.SESSION_LIFETIME.total_seconds()),
        path=_root(request) or "/",
        httponly=True,
        samesite="strict",
        secure=_is_secure(request),
    )
    return answer


def _login_form(request: Request, target: str, *, refused: str | None = None) -> Response:
    return render(
        request,
        "login.html",
        status=401 if refused else 200,
        signed_in=False,
        next=own_path(target),
        refused=refused,
    )


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _root(request: Request) -> str:
    """The path that a proxy put before the service's own; empty without one."""
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/")


def _own_address(request: Request, target: str) -> str:
    root, path = _root(request), own_path(target)
    return path if root and path.startswith(f"{root}/") else root + path


def own_path(target: str) -> str:
    """A path of this service, whatever was asked for: never an address elsewhere."""
    is_own = target.startswith("/") and not target.startswith(("//", "/\\"))
    clean = all(" " < character < "\x7f" for character in target)
    return target if is_own and clean else "/studies"
