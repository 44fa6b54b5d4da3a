"""What happens in a study, as it happens: server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from service import events, studies
from service.api.dependencies import ContextOf, Identifier
from service.api.routing import router
from service.views import EventView
from service.web.context import Context
from service.web.problems import documented

routes = router("events")

MAX_GAP = 5_000
"""A reader that missed more events than this is told to load everything again."""
BATCH = 500
SECONDS_BETWEEN_BATCHES = 0.25
"""At most four batches a second reach a page."""


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
    after: Annotated[int, Query(ge=0, description="Sequence of the last event known")] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> AsyncIterable[ServerSentEvent]:
    """Events of a study from `after` on, then each as it happens.

    A reader that comes back sends `Last-Event-ID`, as browsers do by themselves. `reset`
    instead of events means: too much was missed, load everything again. `at` is the sequence
    that the stream begins after.
    """
    position = _position(last_event_id, after)
    topic = events.study_topic(study)
    yield ServerSentEvent(event="at", data=position, id=str(position), retry=1000)
    while not context.closing.is_set():
        seen = context.hub.version(topic)
        batch = await anyio.to_thread.run_sync(_since, context, study, position)
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
            await context.wait(topic, seen, context.look_seconds)


def _since(context: Context, study: str, position: int) -> list[EventView]:
    with context.database.read() as session:
        return events.since(session, study, position, limit=MAX_GAP + 1)


def _data(event: EventView) -> dict[str, Any]:
    return event.model_dump(mode="json")


def _position(last_event_id: str | None, after: int) -> int:
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        return int(last_event_id[:18])
    return after
