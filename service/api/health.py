"""Whether the process lives, and whether it can serve. Open to everybody."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import text

from service.api.dependencies import ContextOf, ReadSession
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


@routes.get("/healthz")
def health() -> Health:
    """Whether the process lives."""
    return Health(service="sevenstep", version=VERSION)


@routes.get("/readyz", responses=documented(503))
def readiness(session: ReadSession, context: ContextOf) -> Readiness:
    """Whether the database answers and has this release's schema."""
    session.execute(text("SELECT 1"))
    context.database.check_schema()
    return Readiness(ready=True)
