"""The largest body a request may have, counted while it arrives."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.problems import problem_response


class BodyLimit:
    """Answers 413 as soon as a body is known to be too large, announced or not.

    Args:
        app: What follows.
        limit: The most bytes for a path.
    """

    def __init__(self, app: ASGIApp, *, limit: Callable[[str], int]) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on while its body stays within the limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced) > limit:
            await _too_large(limit)(scope, receive, send)
            return
        received = 0
        exceeded = started = False

        async def counted() -> Message:
            nonlocal received, exceeded
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    exceeded = True
                    raise _Exceeded
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            if exceeded and not started:
                return  # whatever the application makes of it, 413 is the answer
            started = started or message["type"] == "http.response.start"
            await send(message)

        with contextlib.suppress(_Exceeded):
            await self._app(scope, counted, watched)
        if exceeded and not started:
            await _too_large(limit)(scope, receive, send)


def _too_large(limit: int) -> Response:
    detail = f"a request's body may hold at most {limit} bytes here"
    return problem_response(413, "too_large", detail)


class _Exceeded(Exception):
    """More bytes arrived than may."""
