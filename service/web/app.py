"""The application: what is served, in which order requests pass, what starts and stops with it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.middleware import Middleware

from service import tokens
from service.api import artifacts, attempts, events, health, steps, studies, trials, workers
from service.conductor.conductor import Conductor
from service.events import CONDUCTOR
from service.pages import assets
from service.pages import routes as pages
from service.settings import Settings
from service.version import VERSION
from service.web import problems
from service.web.body_limit import BodyLimit
from service.web.context import Context, open_context
from service.web.problems import Problem
from service.web.security import Authentication, HostCheck, SecurityHeaders, TokenScope

API_PREFIX = "/api/v1"
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

    def identify(secret: str) -> TokenScope | None:
        with app.state.context.database.read() as session:
            return tokens.identify(session, secret)

    def body_limit(path: str) -> int:
        is_artifact = path.startswith(f"{API_PREFIX}/attempts/") and path.endswith("/artifacts")
        return settings.max_artifact_bytes if is_artifact else settings.max_body_bytes

    app = FastAPI(
        title="Sevenstep",
        version=VERSION,
        summary="Hyperparameters by the seven-step recipe, with reasons.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(HostCheck, allowed=_own_names(settings)),
            Middleware(Authentication, identify=identify),
            Middleware(BodyLimit, limit=body_limit),
        ],
    )
    problems.install(app)
    for resource in (studies, steps, trials, events, workers, attempts, artifacts):
        app.include_router(resource.routes, prefix=API_PREFIX)
    app.include_router(health.routes)
    app.include_router(pages.routes)
    app.mount("/assets", assets.files())
    app.openapi = lambda: _schema(app)  # type: ignore[method-assign]
    return app


def _start_conductor(context: Context, stop: threading.Event) -> threading.Thread:
    conductor = Conductor(context.database, settings=context.settings)
    thread = threading.Thread(target=conductor.run, args=(stop,), name="conductor", daemon=True)
    thread.start()
    return thread


def _own_names(settings: Settings) -> tuple[str, ...]:
    wildcard = settings.host in ("0.0.0.0", "::", "")
    own = f"[{settings.host}]" if ":" in settings.host else settings.host
    return settings.allowed_hosts if wildcard else (*settings.allowed_hosts, own)


def _operation_id(route: APIRoute) -> str:
    return route.name


def _schema(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the problem document every error response refers to."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes
        )
        schemas = schema["components"]["schemas"]
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs"))
        schemas["Problem"] = problem
        app.openapi_schema = schema
    return app.openapi_schema
