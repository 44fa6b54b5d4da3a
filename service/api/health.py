"""Whether the process lives, and whether it can serve. Open to everybody."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import text

from service.api.dependencies import ContextOf, ReadSession
from service.conductor.pulse import STILL_SECONDS
from service.errors import StartupError
from service.version import VERSION
from service.web.problems import documented

routes = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    service: Literal["sevenstep"]
    version: str


class Readiness(BaseModel):
    """The service can do its work."""

    ready: Literal[True]
    conductor: Literal["here", "elsewhere"] = Field(
        description="Whether this process moves studies on, or another one is to"
    )


class ConductorStill(StartupError):
    """This process's conductor has died, or hangs: studies would not move on."""

    code = "conductor_still"


@routes.get("/healthz")
def health() -> Health:
    """Whether the process lives."""
    return Health(service="sevenstep", version=VERSION)


@routes.get("/readyz", responses=documented(503))
def readiness(session: ReadSession, context: ContextOf) -> Readiness:
    """Whether the database answers, has this release's schema, and the conductor lives.

    A conductor of another process is not asked after: a service without one still answers.
    """
    session.execute(text("SELECT 1"))
    context.database.check_schema()
    if not context.settings.run_conductor:
        return Readiness(ready=True, conductor="elsewhere")
    if not context.pulse.is_alive:
        raise ConductorStill(
            f"the conductor has not stirred for {STILL_SECONDS:.0f} s; its log says why, and a"
            " restart mends it"
        )
    return Readiness(ready=True, conductor="here")
