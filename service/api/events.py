"""What happens in studies, as it happens: server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from service.api.dependencies import ContextOf, Identifier, StillGood
from service.api.routing import router
from service.errors import NotFound
from service.streams import events
from service.streams.stream_position import MAX_CURSOR, MAX_SEQUENCE
from service.streams.study_stream import MAX_GAP, Message, StudyStream, parse_named
from service.use_cases import studies
from service.views.models import EventView
from service.web.context import Context
from service.web.problems import documented

routes = router("events")

SECONDS_BETWEEN_BATCHES = 0.25
"""At most four batches a second reach a page."""
MAX_DIGITS = 18
"""Of a `Last-Event-ID` that are read: more than any sequence has."""
RETRY_MILLISECONDS = 1000
"""How long a browser waits before it comes back to a stream that was cut."""


def _existing(study: Identifier, context: ContextOf) -> str:
    # Asked here, not in the stream: once that has begun, its status cannot change.
    with context.database.read() as session:
        return studies.get(session, study).id


@routes.get(
    "/studies/{study}/events",
    response_class=EventSourceResponse,
    responses=documented(404),
)
async def stream_events(
    study: Annotated[str, Depends(_existing)],
    context: ContextOf,
    is_still_good: StillGood,
    after: Annotated[
        int, Query(ge=0, lt=2**31, description="Sequence of the last event known")
    ] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> AsyncIterable[ServerSentEvent]:
    """Events of a study from `after` on, then each as it happens, while the token is good.

    A reader that comes back sends `Last-Event-ID`, as browsers do by themselves. `reset`
    instead of events means: too much was missed, load everything again. `at` says
    `after` which sequence the stream begins, and which one is the `newest` now. It ends when
    the study is deleted.
    """
    position = _position(last_event_id, after)
    topic = events.study_topic(study)
    newest = await anyio.to_thread.run_sync(_newest, context, study)
    begun = {"after": position, "newest": newest}
    yield ServerSentEvent(event="at", data=begun, id=str(position), retry=RETRY_MILLISECONDS)
    while not context.closing.is_set():
        seen = context.seen(topic)
        if not await is_still_good():
            return  # who comes back is answered 401
        try:
            batch = await anyio.to_thread.run_sync(_since, context, study, position)
        except NotFound:
            return  # it was deleted: who comes back is answered 404
        if len(batch) > MAX_GAP:
            position = batch[-1].sequence
            yield ServerSentEvent(event="reset", data=position, id=str(position))
            continue
        for event in batch:
            position = event.sequence
            yield ServerSentEvent(event=event.kind, data=_data(event), id=str(position))
        if batch:
            await asyncio.sleep(SECONDS_BETWEEN_BATCHES)
        else:
            await context.wait(seen, context.look_seconds)


def _stream(
    studies: Annotated[
        str | None,
        Query(
            max_length=8_000,
            description="Ids with commas between, each from `:sequence` on if that is given, as"
            " in `a,b:12`; left out: all studies, those to come included",
        ),
    ] = None,
    after: Annotated[
        str | None,
        Query(max_length=MAX_CURSOR, description="The id of the last event known; else now"),
    ] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StudyStream:
    return StudyStream(parse_named(studies), last_event_id or after)


@routes.get("/events", response_class=EventSourceResponse)
async def stream_all_events(
    stream: Annotated[StudyStream, Depends(_stream)],
    context: ContextOf,
    is_still_good: StillGood,
) -> AsyncIterable[ServerSentEvent]:
    """Events of all studies, or of those named, as they happen: one stream for many pages.

    Each message's `id` says where the reader is; sent as `Last-Event-ID`, as browsers do by
    themselves, or as `after`, the stream goes on there. `at` is its beginning, `gone` names a
    study that was deleted, `reset` means: too much was missed, load everything again.
    """

    def begin() -> str:
        with context.database.read() as session:
            return stream.begin(session)

    def look() -> list[Message]:
        with context.database.read() as session:
            return stream.look(session)

    begun = await anyio.to_thread.run_sync(begin)
    yield ServerSentEvent(event="at", data={}, id=begun, retry=RETRY_MILLISECONDS)
    while not context.closing.is_set():
        seen = context.seen(events.EVENTS)
        if not await is_still_good():
            return
        messages = await anyio.to_thread.run_sync(look)
        for message in messages:
            yield ServerSentEvent(event=message.kind, data=_said(message), id=message.cursor)
        if messages:
            await asyncio.sleep(SECONDS_BETWEEN_BATCHES)
        else:
            await context.wait(seen, context.look_seconds)


def _said(message: Message) -> dict[str, Any]:
    if message.event is not None:
        return message.event.model_dump(mode="json")
    return {} if message.study is None else {"study": message.study}


def _since(context: Context, study: str, position: int) -> list[EventView]:
    with context.database.read() as session:
        return events.since(session, study, position, limit=MAX_GAP + 1)


def _newest(context: Context, study: str) -> int:
    with context.database.read() as session:
        return events.newest_kept(session, study)


def _data(event: EventView) -> dict[str, Any]:
    return event.model_dump(mode="json")


def _position(last_event_id: str | None, after: int) -> int:
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        return min(int(last_event_id[:MAX_DIGITS]), MAX_SEQUENCE)
    return after
