"""Watches requests go by: how long each took, what it was about, and a line where one is due."""

from __future__ import annotations

import logging
import re
import time
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recipes.logs import about
from service.web.context import Context

log = logging.getLogger(__name__)

API = "/api/v1"
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
OTHER = "other"
"""Stands for a method or a path of nobody's: callers must not be able to make series."""
QUIET_ROUTES = frozenset(
    {
        "/healthz",
        "/readyz",
        "/metrics",
        "/assets",
        "/api/v1/workers/{worker}/claim",
        "/api/v1/workers/{worker}/heartbeat",
        "/api/v1/attempts/{attempt}/heartbeat",
        "/api/v1/attempts/{attempt}/points",
    }
)
"""Asked again and again by machines: a line only when one of them goes wrong."""
NAMED = re.compile(
    r"/(?P<kind>studies|attempts|workers|steps|trials)/(?P<id>[a-z0-9]{16}|[0-9]{1,9})(?=/|$)"
)
FIELD = {
    "studies": "study",
    "attempts": "attempt",
    "workers": "worker",
    "steps": "step",
    "trials": "trial",
}


class Observation:
    """The outermost layer: sees every request and every answer, refusals too.

    Lines that are logged while a request is served carry the ids of its path.

    Args:
        app: What follows.
        log_requests: Whether each answered request gets a line.
    """

    def __init__(self, app: ASGIApp, *, log_requests: bool) -> None:
        self._app = app
        self._log_requests = log_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start" and not status:
                status = message["status"]
                self._note(scope, status, time.perf_counter() - began)
            await send(message)

        with about(**ids_of(scope["path"])):
            try:
                await self._app(scope, receive, send_counted)
            except Exception:
                if not status:  # the answer is made further out, by the server's last resort
                    self._note(scope, 500, time.perf_counter() - began)
                raise

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER
        route = route_of(scope)
        context = scope["app"].state.context
        assert isinstance(context, Context)
        context.metrics.request_seconds.labels(method, route).observe(seconds)
        context.metrics.requests.labels(method, route, str(status)).inc()
        if self._log_requests and (route not in QUIET_ROUTES or status >= 400):
            fields = {
                "method": method,
                "route": route,
                "status": status,
                "seconds": round(seconds, 4),
            }
            path = quote(scope["path"])  # a line break in it would begin a line of the caller's
            log.info("%s %s answered %d", method, path, status, extra=fields)


def route_of(scope: Scope) -> str:
    """The template of the route that answered, as ``/api/v1/studies/{study}``."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    if isinstance(path, str):
        # A route knows itself without the prefix of the router that it was included in.
        is_inner = scope["path"].startswith(f"{API}/") and not path.startswith(f"{API}/")
        return f"{API}{path}" if is_inner else path
    return "/assets" if scope["path"].startswith("/assets/") else OTHER


def ids_of(path: str) -> dict[str, str | int | None]:
    """What a request is about, by its path."""
    return {FIELD[found["kind"]]: found["id"] for found in NAMED.finditer(path)}
