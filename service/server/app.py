"""The application: what is served, in which order requests pass, what starts and stops with it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.types import Scope

from service.api import (
    artifacts,
    attempts,
    diagnose,
    events,
    health,
    metrics,
    steps,
    studies,
    tokens,
    trials,
    workers,
)
from service.conductor.conductor import Conductor
from service.pages import assets
from service.pages import routes as pages
from service.server.openapi import openapi_of
from service.settings import Settings
from service.streams.events import CONDUCTOR
from service.version import VERSION
from service.web import problems
from service.web.body_limit import BodyLimit
from service.web.context import Context, open_context
from service.web.identities import Identities
from service.web.methods import Methods
from service.web.observation import Observation
from service.web.rate_limit import RateLimit, limits_of
from service.web.scopes import RouteTable, route_path
from service.web.security import Authentication, HostCheck, SecurityHeaders

API_PREFIX = "/api/v1"
MAX_LOGIN_BYTES = 8_192
"""A sign-in form holds a secret of at most 512 characters and an address of this service."""
STOP_SECONDS = 5.0
"""How long the conductor may take to end the slice it is in."""


def create_app(settings: Settings, *, opened: Context | None = None) -> FastAPI:
    """The service as an ASGI application.

    On start it opens the database and starts the conductor's thread, unless the settings
    leave that out; at its end it stops the one and closes the other.

    Args:
        settings: What can be set.
        opened: The context, where it was opened already to meet errors early.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        context = opened
        if context is None:
            context = await anyio.to_thread.run_sync(open_context, settings)
        app.state.context = context
        stop = threading.Event()
        conductor = _start_conductor(context, stop) if settings.run_conductor else None
        try:
            yield
        finally:
            context.closing.set()
            stop.set()
            context.hub.publish(CONDUCTOR)
            if conductor is not None:
                await anyio.to_thread.run_sync(conductor.join, STOP_SECONDS)
            context.database.dispose()

    def body_limit(path: str) -> int:
        is_artifact = path.startswith(f"{API_PREFIX}/attempts/") and path.endswith("/artifacts")
        if is_artifact:
            return settings.max_artifact_bytes
        if path == "/login":  # open to everybody
            return min(MAX_LOGIN_BYTES, settings.max_body_bytes)
        return settings.max_body_bytes

    identities: Identities
    table: RouteTable
    app = FastAPI(
        title="Sevenstep",
        version=VERSION,
        summary="Hyperparameters by the seven-step recipe, with reasons.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # an address has one form; service.web.problems says which
        generate_unique_id_function=_operation_id,
        middleware=[
            Middleware(Observation, log_requests=settings.log_requests),
            Middleware(SecurityHeaders),
            Middleware(HostCheck, allowed=_own_names(settings)),
            Middleware(
                Authentication,
                identify=lambda secret: identities.identify(secret),
                find=lambda scope: table.find(scope),
            ),
            Middleware(RateLimit, limits=limits_of(settings)),
            Middleware(Methods, methods=lambda scope: methods_of(table, scope)),
            Middleware(BodyLimit, limit=body_limit),
        ],
    )
    identities = Identities(lambda: app.state.context.database)
    table = RouteTable(app)
    app.state.keys_in_use = set()
    problems.install(app, methods=lambda scope: methods_of(table, scope))
    for resource in (
        attempts,  # what is asked for most comes first: routes are tried in this order
        workers,
        studies,
        steps,
        trials,
        events,
        artifacts,
        tokens,
        diagnose,
    ):
        app.include_router(resource.routes, prefix=API_PREFIX)
    app.include_router(health.routes)
    app.include_router(metrics.routes)
    app.include_router(pages.routes)
    app.mount("/assets", assets.files())
    app.openapi = lambda: openapi_of(app)  # type: ignore[method-assign]
    return app


def methods_of(table: RouteTable, scope: Scope) -> set[str]:
    """The methods that routes have for a request's path.

    Where an address is named in full, as ``/workers/register`` is, the routes that would take
    its last part for an id do not count.
    """
    path = route_path(scope)
    found = [route for route in table.routes if route.pattern.match(path)]
    fewest = min((route.pattern.groups for route in found), default=0)
    return {
        method for route in found if route.pattern.groups == fewest for method in route.methods
    }


def _start_conductor(context: Context, stop: threading.Event) -> threading.Thread:
    conductor = Conductor(context.database, settings=context.settings, pulse=context.pulse)
    thread = threading.Thread(target=conductor.run, args=(stop,), name="conductor", daemon=True)
    thread.start()
    return thread


def _own_names(settings: Settings) -> tuple[str, ...]:
    wildcard = settings.host in ("0.0.0.0", "::", "")
    own = f"[{settings.host}]" if ":" in settings.host else settings.host
    return settings.allowed_hosts if wildcard else (*settings.allowed_hosts, own)


def _operation_id(route: APIRoute) -> str:
    return route.name
