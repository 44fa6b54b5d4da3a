"""What happens in a study, as it happens: server-sent events, resumed where they broke off."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2

from recipes.study import StudyState
from service.client.errors import ClientError, NotUnderstood, Refused, Unreachable, refusal
from service.client.patience import Patience
from service.client.transport import CONNECT_SECONDS, PASSING_STATUSES, Transport, study_path
from service.views.models import StudyView

QUIET_SECONDS = 10.0
"""A stream that is silent for this long is opened anew. Below the service's keep-alive of 15 s,
so that a deadline is noticed in time and a dead connection is not waited for."""
BEGIN = "at"
"""The event that opens a stream: where the stream begins, and how far the study's events go."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a study.

    Attributes:
        id: Its sequence in the study, from 1 on; where a reader may go on from.
        kind: ``study``, ``step``, ``trial``, ``points``; ``reset``: too much was missed to be
            told, so read everything again.
        data: What the service says of it; ``data["payload"]`` is the event's own.
    """

    id: int
    kind: str
    data: Any


def listen(
    transport: Transport, uid: str, after: int, *, quiet_seconds: float = QUIET_SECONDS
) -> Iterator[Event]:
    """One connection's events, first of all ``at``. Ends when it is quiet, or with the service.

    Raises:
        Unreachable: Nobody answers, or the connection broke.
        Refused: The service said no.
    """
    timeout = httpx2.Timeout(quiet_seconds, connect=CONNECT_SECONDS)
    path = study_path(uid, "events")
    has_begun = False
    try:
        with transport.http.stream(
            "GET", path, params={"after": after}, timeout=timeout
        ) as answer:
            if not answer.is_success:
                answer.read()
                raise refusal(answer)
            for event in httpx2.EventSource(answer):
                has_begun = True
                yield Event(_sequence(event.id), event.event, json.loads(event.data or "null"))
    except httpx2.ReadTimeout as error:
        if not has_begun:
            raise transport.unreachable(error) from error
    except httpx2.TransportError as error:
        raise transport.unreachable(error) from error
    except ValueError as error:
        raise NotUnderstood(f"{transport.address} sent an event that cannot be read") from error


def events(transport: Transport, uid: str, after: int) -> Iterator[Event]:
    """Events of a study with a sequence above ``after``, each once, until the study has ended.

    A connection that breaks off or falls silent is made again from the last event on. Of an
    ended study every event up to the newest is there before this ends.

    Raises:
        Unreachable: The service was away longer than patience lasts.
        NotFound: There is no such study (any more).
    """
    path, patience = study_path(uid), Patience(transport.patience_seconds)
    impatient, position = impatiently(transport), after
    while True:
        try:
            has_ended = impatient.get(path, StudyView).state.has_ended
            newest: int | None = None
            for event in listen(impatient, uid, position):
                patience.met()
                if event.kind == BEGIN:
                    newest = _newest(event)
                else:
                    position = event.id
                    yield event
                if has_ended and newest is not None and position >= newest:
                    return
                if not has_ended and _ends(event):
                    break
        except ClientError as error:
            wait_out(error, patience)


def wait_out(error: ClientError, patience: Patience) -> None:
    """Sleep until an absence may be over; raises any error that is not an absence."""
    is_away = isinstance(error, Unreachable)
    if not (is_away or (isinstance(error, Refused) and error.status in PASSING_STATUSES)):
        raise error
    patience.wait(error)


def impatiently(transport: Transport) -> Transport:
    """The same connections, with one try a request: who follows a study counts by himself."""
    other = copy.copy(transport)
    other.patience_seconds = 0.0
    return other


def _ends(event: Event) -> bool:
    """Whether it tells of the study's end."""
    if event.kind != "study":
        return False
    return StudyState(event.data["payload"]["state"]).has_ended


def _newest(begin: Event) -> int:
    try:
        return int(begin.data["newest"])
    except (TypeError, KeyError, ValueError) as error:
        raise NotUnderstood("the stream does not say how far the study's events go") from error


def _sequence(text: str) -> int:
    return int(text) if text.isdecimal() else 0
