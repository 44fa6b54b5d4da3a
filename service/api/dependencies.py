"""What endpoints ask for: the process's context and a session of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Path, Request
from sqlalchemy.orm import Session

from service.web.context import Context

PAGE_LIMIT = 200
"""Most items on one page of a list."""


def context(request: Request) -> Context:
    """The process's context."""
    found = request.app.state.context
    assert isinstance(found, Context)
    return found


ContextOf = Annotated[Context, Depends(context)]


def _read(context: ContextOf) -> Iterator[Session]:
    with context.database.read() as session:
        yield session


def _write(context: ContextOf) -> Iterator[Session]:
    with context.database.write() as session:
        yield session


# With the default scope the commit would come after the reply had begun: a 201 could be
# sent for a row that was then rolled back.
ReadSession = Annotated[Session, Depends(_read, scope="function")]
WriteSession = Annotated[Session, Depends(_write, scope="function")]

Identifier = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""An opaque id, as the service gave it out."""
TrialNumber = Annotated[int, Path(ge=0, lt=2**31)]
StepNumber = Annotated[int, Path(ge=1, le=7)]
