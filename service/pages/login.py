"""Signing a browser in: by the link that was printed, or by a token that is pasted."""

from __future__ import annotations

from urllib.parse import parse_qs

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from service import tokens
from service.api.dependencies import ContextOf, WriteSession
from service.pages.rendering import render
from service.web.security import COOKIE, TokenScope

routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@routes.get("/login")
def login_page(
    request: Request, session: WriteSession, token: str | None = None, next: str = "/studies"
) -> Response:
    """Sign a browser in by the link that was printed, or ask for the token."""
    if token is None:
        return _login_form(request, next, refused=False)
    return _sign_in(request, session, token, next)


@routes.post("/login")
async def login(request: Request, context: ContextOf) -> Response:
    """Sign a browser in by a token that was pasted."""
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    token, target = fields.get("token", [""])[0], fields.get("next", ["/studies"])[0]

    def sign_in() -> Response:
        with context.database.write() as session:
            return _sign_in(request, session, token.strip(), target)

    return await anyio.to_thread.run_sync(sign_in)


def _sign_in(request: Request, session: Session, token: str, target: str) -> Response:
    if tokens.identify(session, token) is not TokenScope.ADMIN:
        return _login_form(request, target, refused=True)
    # The cookie holds a session of its own, never the token: it is good for less, and the
    # address that is left in the browser's history is one without the token.
    answer = RedirectResponse(own_path(target), status_code=303)
    answer.set_cookie(
        COOKIE,
        tokens.open_session(session),
        max_age=int(tokens.SESSION_LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _login_form(request: Request, target: str, *, refused: bool) -> Response:
    status = 401 if refused else 200
    return render(
        request,
        "login.html",
        status=status,
        signed_in=False,
        next=own_path(target),
        refused=refused,
    )


def own_path(target: str) -> str:
    """A path of this service, whatever was asked for: never an address elsewhere."""
    is_own = target.startswith("/") and not target.startswith(("//", "/\\"))
    clean = all(" " < character < "\x7f" for character in target)
    return target if is_own and clean else "/studies"
