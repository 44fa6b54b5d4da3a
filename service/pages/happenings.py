"""What happened lately in a study, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from service.streams import events
from service.views.format import STEP_NAMES, mark, plural
from service.views.models import EventView

LATELY = 8
"""Happenings that a study's page tells."""

LOOKED_AT = 100
"""Most events they are told from: neighbours that say the same are told once."""

TRIALS_NAMED = 3
"""Trials named one by one; of more, only their count is told."""


class Happening(NamedTuple):
    """Something that happened, and when."""

    at: datetime
    sentence: str


def lately(session: Session, study_uid: str, sequence: int) -> list[Happening]:
    """The newest happenings of a study, the newest first.

    Args:
        session: A read session.
        study_uid: The study.
        sequence: That of its newest event.

    Raises:
        NotFound: There is no such study.
    """
    return told(events.since(session, study_uid, max(0, sequence - LOOKED_AT), LOOKED_AT))


def told(found: Sequence[EventView]) -> list[Happening]:
    """Events in words, the newest first; neighbours that tell of trials are one."""
    happenings: list[Happening] = []
    numbers: list[int] = []  # trials of the neighbours that tell of trials
    for event in found:
        if event.kind == "trial" and event.payload.get("numbers"):
            is_next = bool(numbers)
            numbers = sorted({*numbers, *event.payload["numbers"]})
            sentence = _trials(numbers)
            if is_next:
                happenings.pop()
        else:
            sentence = _sentence(event)
            numbers = [] if sentence else numbers
        if sentence and (not happenings or happenings[-1].sentence != sentence):
            happenings.append(Happening(event.at, sentence))
    return happenings[: -LATELY - 1 : -1]


def _sentence(event: EventView) -> str:
    said = event.payload
    if event.kind == "study" and "state" in said:
        return f"The study is {mark(said['state']).word}."
    if event.kind == "step" and "state" in said:
        return f"{_step(said)} is {mark(said['state']).word}."
    return ""


def _step(said: dict[str, int | str]) -> str:
    number = int(said["number"])
    place = f"Step {number}, {STEP_NAMES[number].lower()}"
    if int(said.get("round", 1)) > 1:
        place += f", round {said['round']}"
    if int(said.get("pass", 1)) > 1:
        place += f", pass {said['pass']}"
    return f"{place},"


def _trials(numbers: Sequence[int]) -> str:
    if len(numbers) > TRIALS_NAMED:
        return f"There is news of {plural(len(numbers), 'trial')}."
    which = ", ".join(map(str, numbers))
    return f"There is news of trial{'s' * (len(numbers) > 1)} {which}."
