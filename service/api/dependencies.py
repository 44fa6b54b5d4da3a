"""What endpoints ask for: the process's context and a session of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from sqlalchemy.orm import Session

from service.streams import cursors
from service.web.context import Context

PAGE_LIMIT = 200
"""Most items on one page of a list."""


async def context(request: Request) -> Context:  # async: it needs no thread to say so
    """The process's context."""
    found = request.app.state.context
    assert isinstance(found, Context)
    return found


ContextOf = Annotated[Context, Depends(context)]


def _read(context: ContextOf) -> Iterator[Session]:
    with context.database.read() as session:
        yield session


async def _writing(context: ContextOf) -> AsyncIterator[None]:
    async with context.writers:
        yield


Writing = Annotated[None, Depends(_writing, scope="function")]
"""One of the requests that may write now."""


def _write(request: Request, context: ContextOf, turn: Writing) -> Iterator[Session]:
    with context.database.write() as session:
        request.state.write_session = session  # where the answer is kept, if it has a key
        yield session


# With the default scope the commit would come after the reply had begun: a 201 could be
# sent for a row that was then rolled back.
ReadSession = Annotated[Session, Depends(_read, scope="function")]
WriteSession = Annotated[Session, Depends(_write, scope="function")]


def _origin(request: Request) -> str:
    return str(request.base_url).rstrip("/")


Origin = Annotated[str, Depends(_origin)]
"""How this request reached the service: scheme, host and the path of a proxy, if any."""

IsStillGood = Callable[[], Awaitable[bool]]
"""Whether the secret that a request came with is good now. Asked on the event loop alone."""


async def _still_good(request: Request) -> IsStillGood:
    check: IsStillGood = request.state.is_still_good
    return check


StillGood = Annotated[IsStillGood, Depends(_still_good)]
"""For requests that last: a token may be revoked, or expire, while one is answered."""

Limit = Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="Most items on the page")]
Cursor = Annotated[
    str | None,
    Query(max_length=cursors.MAX_LENGTH, description="The `next_cursor` of the page before"),
]

Identifier = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""An opaque id, as the service gave it out."""
TrialNumber = Annotated[int, Path(ge=0, lt=2**31)]
StepNumber = Annotated[int, Path(ge=1, le=7)]
