"""Methods that no route names: HEAD is answered as its GET is, OPTIONS by what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

EVENT_STREAM = "text/event-stream"


class Methods:
    """Serves HEAD and OPTIONS wherever there is a route for other methods (RFC 9110, 9.3).

    Args:
        app: What follows.
        methods: The methods that routes have for a path.
    """

    def __init__(self, app: ASGIApp, *, methods: Callable[[Scope], Iterable[str]]) -> None:
        self._app = app
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, a HEAD as a GET; or answer what a path can do."""
        method = scope["method"] if scope["type"] == "http" else ""
        if method not in ("HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        methods = frozenset(self._methods(scope))
        if method == "OPTIONS" and methods:
            await Response(status_code=204, headers={"Allow": allowed(methods)})(
                scope, receive, send
            )
        elif method == "HEAD" and "GET" in methods:
            await self._head(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                headers = Headers(raw=message["headers"])
                if headers.get("content-type", "").startswith(EVENT_STREAM):
                    raise _Enough  # its body would never end
            elif not message.get("more_body", False):
                await send({"type": "http.response.body", "body": b""})

        try:
            await self._app({**scope, "method": "GET"}, receive, without_body)
        except* _Enough:
            await send({"type": "http.response.body", "body": b""})


def allowed(methods: Iterable[str]) -> str:
    """An ``Allow`` header's value."""
    found = {*methods, "OPTIONS"}
    return ", ".join(sorted(found | {"HEAD"} if "GET" in found else found))


class _Enough(Exception):
    """The headers of a stream are all that was asked for."""
