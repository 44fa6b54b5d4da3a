"""Tokens: made, listed and revoked by who has one of scope admin."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import Query, Request, Response

from service.access import Access
from service.api.dependencies import Cursor, Identifier, Limit, ReadSession, WriteSession
from service.api.routing import router
from service.clock import utc_now
from service.use_cases import tokens
from service.views import token_views
from service.views.token_views import MadeToken, NewToken, SignInLink, TokenPage
from service.web.problems import documented

routes = router("tokens")

NextPage = Annotated[
    str, Query(max_length=500, description="Path of the page that the link leads to")
]


@routes.get("/tokens")
def list_tokens(
    session: ReadSession,
    limit: Limit = 50,
    cursor: Cursor = None,
    ended: Annotated[bool, Query(description="Those too that expired or were revoked")] = False,
) -> TokenPage:
    """Tokens and browsers' sessions, newest first. Secrets are never shown again."""
    return token_views.list_tokens(session, good_only=not ended, limit=limit, cursor=cursor)


@routes.post("/tokens", status_code=201)
def create_token(request: NewToken, session: WriteSession, response: Response) -> MadeToken:
    """Make a token. The answer alone has its secret: keep it, it is stored nowhere."""
    made = token_views.make(session, request)
    response.headers["Location"] = f"/api/v1/tokens/{made.id}"
    return made


@routes.delete("/tokens/{token}", status_code=204, responses=documented(404))
def revoke_token(token: Identifier, session: WriteSession) -> None:
    """Make a token or a browser's session worthless, at once and for good.

    Sessions that the token opened go with it.
    """
    tokens.revoke(session, token)


@routes.post("/tokens/links", status_code=201)
def create_login_link(
    request: Request, session: WriteSession, next: NextPage = "/studies"
) -> SignInLink:
    """Make a link that signs one browser in, once, with the scope of the token this came with."""
    access = request.state.access
    assert isinstance(access, Access)
    code = tokens.open_link(session, access.owner)
    return SignInLink(
        path=f"/login?code={code}&next={quote(next, safe='/')}",
        expires_at=utc_now() + tokens.LINK_LIFETIME,
    )
