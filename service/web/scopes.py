"""Which route is good for whom: one entry a route, closed to all but admins without one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount, compile_path
from starlette.types import Scope

from service.access import Access, TokenScope

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ASSETS = "assets"
"""What the pages' own files are called here: they are mounted, not routes."""


class Need(StrEnum):
    """What a request to a route must show."""

    NOTHING = "nothing"  # open to everybody
    READ = "read"  # a token or a browser's session of scope read, write or admin
    WRITE = "write"  # a token of scope write or admin; never a cookie
    ADMIN = "admin"  # a token of scope admin; an admin's session for reading
    WORKER = "worker"  # a token of scope worker or admin
    ATTEMPT = "attempt"  # the attempt's own token, or one of scope admin
    FORM = "form"  # a browser's session of scope write or admin, from a page of ours
    SESSION = "session"  # any browser's session, from a page of ours


TOKENS_FOR: Mapping[Need, frozenset[TokenScope]] = MappingProxyType(
    {
        Need.NOTHING: frozenset(TokenScope),
        Need.READ: frozenset({TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN}),
        Need.WRITE: frozenset({TokenScope.WRITE, TokenScope.ADMIN}),
        Need.ADMIN: frozenset({TokenScope.ADMIN}),
        Need.WORKER: frozenset({TokenScope.WORKER, TokenScope.ADMIN}),
        Need.ATTEMPT: frozenset({TokenScope.ATTEMPT, TokenScope.ADMIN}),
        Need.FORM: frozenset(),
        Need.SESSION: frozenset(),
    }
)
"""Scopes whose tokens, sent as ``Authorization: Bearer``, are good for a need."""

SESSIONS_FOR: Mapping[Need, frozenset[TokenScope]] = MappingProxyType(
    {
        **dict.fromkeys(Need, frozenset[TokenScope]()),
        Need.NOTHING: frozenset({TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN}),
        Need.READ: frozenset({TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN}),
        Need.FORM: frozenset({TokenScope.WRITE, TokenScope.ADMIN}),
        Need.SESSION: frozenset({TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN}),
    }
)
"""Scopes whose browser sessions are good for a need. No cookie is good for a write of the API."""

ROUTES: Mapping[str, Need] = MappingProxyType(
    {
        # open
        "openapi": Need.NOTHING,
        "health": Need.NOTHING,
        "readiness": Need.NOTHING,
        "docs_page": Need.NOTHING,
        "findings_page": Need.NOTHING,
        "finding_page": Need.NOTHING,
        "finding_picture": Need.NOTHING,
        "login_page": Need.NOTHING,
        "login": Need.NOTHING,
        # the API, reading
        "list_studies": Need.READ,
        "get_study": Need.READ,
        "get_report": Need.READ,
        "get_report_markdown": Need.READ,
        "list_steps": Need.READ,
        "get_step": Need.READ,
        "list_findings": Need.READ,
        "get_figure": Need.READ,
        "list_trials": Need.READ,
        "get_trial": Need.READ,
        "get_curves": Need.READ,
        "export_trials": Need.READ,
        "stream_events": Need.READ,
        "stream_all_events": Need.READ,
        "list_workers": Need.READ,
        "get_worker": Need.READ,
        "metrics": Need.READ,
        # the API, writing
        "create_study": Need.WRITE,
        "delete_study": Need.WRITE,
        "pause_study": Need.WRITE,
        "resume_study": Need.WRITE,
        "cancel_study": Need.WRITE,
        "accept_step": Need.WRITE,
        "rerun_step": Need.WRITE,
        "skip_step": Need.WRITE,
        "diagnose_curves": Need.WRITE,
        # tokens
        "list_tokens": Need.ADMIN,
        "create_token": Need.ADMIN,
        "revoke_token": Need.ADMIN,
        "create_login_link": Need.ADMIN,
        # workers and their attempts
        "register_worker": Need.WORKER,
        "claim_attempt": Need.WORKER,
        "worker_heartbeat": Need.WORKER,
        "say_goodbye": Need.WORKER,
        "attempt_heartbeat": Need.ATTEMPT,
        "add_points": Need.ATTEMPT,
        "finish_attempt": Need.ATTEMPT,
        "add_artifact": Need.ATTEMPT,
        "get_artifact": Need.ATTEMPT,
        # pages
        "home": Need.READ,
        "studies_page": Need.READ,
        "study_page": Need.READ,
        "report_page": Need.READ,
        "step_page": Need.READ,
        "trial_page": Need.READ,
        "trials_page": Need.READ,
        "workers_page": Need.READ,
        "worker_page": Need.READ,
        "new_study_page": Need.READ,
        "create_study_form": Need.FORM,
        "act_on_study": Need.FORM,
        "act_on_step": Need.FORM,
        "logout": Need.SESSION,
    }
)
"""What each route asks for, by its name. ``docs/reference/rest.md`` has the same as a table."""


@dataclass(frozen=True, slots=True)
class Found:
    """The route that will answer a request.

    ``name`` is empty where there is none for the method: 404 and 405 are answered to
    whoever has any token.
    """

    name: str
    need: Need | None
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Route:
    path: str  # with {names}
    pattern: re.Pattern[str]
    methods: frozenset[str]
    name: str


class RouteTable:
    """Finds a request's route before the framework does, by the same patterns in its order.

    Args:
        app: The application. Its routes are read at the first request, when all are there.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._routes: list[_Route] | None = None

    @property
    def routes(self) -> list[_Route]:
        """Every route with a handler of its own, in the order they are tried."""
        if self._routes is None:
            self._routes = [
                _Route(
                    context.path or "",
                    compile_path(context.path or "")[0],
                    frozenset(context.methods or ()),
                    context.name or "",
                )
                for context in iter_route_contexts(self._app.routes)
                if context.methods is not None
            ]
        return self._routes

    def find(self, scope: Scope) -> Found:
        """The route of a request."""
        path = route_path(scope)
        if any(
            isinstance(route, Mount) and path.startswith(f"{route.path}/")
            for route in self._app.routes
        ):
            return Found(ASSETS, Need.NOTHING, {})
        # A HEAD is answered as its GET is, wherever the framework makes one of the other.
        methods = {"GET", "HEAD"} if scope["method"] == "HEAD" else {scope["method"]}
        for route in self.routes:
            if methods & route.methods and (match := route.pattern.match(path)):
                need = ROUTES.get(route.name, Need.ADMIN)
                return Found(route.name, need, match.groupdict())
        return Found("", None, {})


def route_path(scope: Scope) -> str:
    """The path as routes know it: without the prefix a proxy put before it."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def is_good_for(access: Access, found: Found, method: str) -> bool:
    """Whether who asks may have what they ask for.

    Args:
        access: Who.
        found: The route that would answer.
        method: In capitals.
    """
    if found.need is None:
        return True
    if access.is_session:
        is_reading = found.need is Need.ADMIN and method in READING_METHODS
        return access.scope in SESSIONS_FOR[found.need] or (
            is_reading and access.scope is TokenScope.ADMIN
        )
    if access.scope not in TOKENS_FOR[found.need]:
        return False
    return access.scope is not TokenScope.ATTEMPT or found.params.get("attempt") == access.owner


def request_state(scope: Scope) -> dict[str, Any]:
    """Where a request keeps what later layers ask for as ``request.state``."""
    state: dict[str, Any] = scope.setdefault("state", {})
    return state
