"""The events of many studies as one stream, so that a browser needs one for all its tabs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from service.clock import database_now
from service.errors import InvalidInput
from service.repositories import events as repository
from service.repositories.events import Head
from service.streams.stream_position import Cursors, Position
from service.uids import is_uid
from service.views.models import StudyEventView

MAX_GAP = 5_000
"""A reader that missed more events than this is told to load everything again."""
MAX_NAMED = 100
"""Studies that a reader may name: a browser has no more tabs of ours."""
SETTLED_AFTER = timedelta(seconds=60)
"""A study's key is given before its row is committed, which takes milliseconds: below one
that is this old, no other can still appear."""


class Message(NamedTuple):
    """What a stream sends.

    Attributes:
        kind: ``study``, ``step``, ``trial`` or ``points``; ``gone``: the study was deleted;
            ``reset``: load everything again.
        cursor: Where the reader is once it has this message.
        event: With the first four.
        study: With ``gone``, which one; None for one that had ended long before.
    """

    kind: str
    cursor: str
    event: StudyEventView | None = None
    study: str | None = None


class StudyStream:
    """One reader's way through the events. It is looked at by one thread at a time.

    Args:
        named: The studies it is about, each with the sequence to begin after (None: now);
            None for all studies, those to come included.
        cursor: Where an earlier stream was cut; it goes before the sequences in ``named``.

    Raises:
        InvalidInput: ``cursor`` is not one of a stream of this kind.
    """

    def __init__(self, named: Mapping[str, int | None] | None, cursor: str | None) -> None:
        self._named = named
        self._uids: dict[int, str] = {}
        self._gone: set[str] = set()
        self._position: Position | None = None
        self._has_lost_place = False
        if cursor is not None:
            found = Position.decode(cursor)
            self._has_lost_place = found is None or (found.is_named and named is None)
            self._position = None if self._has_lost_place else found

    def begin(self, session: Session) -> str:
        """The cursor of the place that the stream begins after."""
        if self._named is not None:
            self._position = self._begin_named(session, self._named, self._position)
        elif self._position is None:
            self._position = self._begin_all(session)
        return self._position.encode()

    def look(self, session: Session) -> list[Message]:
        """What happened since the last look, in order; empty when nothing did."""
        position = self._position
        assert position is not None, "a stream begins before it is looked at"
        if self._has_lost_place:
            self._has_lost_place = False
            return [self._reset(session)]
        heads = self._heads(session, position)
        messages = []
        for study_id in [key for key in position.seen if key not in heads]:
            if study_id not in self._uids:
                return [self._reset(session)]
            del position.seen[study_id]
            messages.append(self._say_gone(position, self._uids.pop(study_id)))
        if self._named is None:
            messages += self._look_for_deleted(session, position, num_told=len(messages))
        else:
            there = {head.uid for head in heads.values()} | self._gone
            absent = [uid for uid in self._named if uid not in there]
            messages += [self._say_gone(position, uid) for uid in absent]
        behind = {
            key: position.seen.get(key, 0)
            for key, head in heads.items()
            if head.sequence > position.seen.get(key, 0)
        }
        found = repository.since_of(session, behind, limit=MAX_GAP + 1) if behind else []
        if len(found) > MAX_GAP:
            return [self._reset(session)]
        cursors = Cursors(position, behind)
        for study_id, event in found:
            place = cursors.after(study_id, event.sequence)
            messages.append(Message(event.kind, place, event=event))
        for study_id in behind:
            position.seen[study_id] = heads[study_id].sequence  # those before it are kept no more
        self._uids = {head.study_id: head.uid for head in heads.values()}
        if self._named is None:
            _settle(session, position, heads)
        return messages

    def _look_for_deleted(
        self, session: Session, position: Position, *, num_told: int
    ) -> list[Message]:
        """That some ended study is no more there, if that is so and was not said by name."""
        there = repository.num_up_to(session, position.floor)
        has_lost_others = there < position.num_settled - num_told
        position.num_settled = there
        return [Message("gone", position.encode())] if has_lost_others else []

    def _heads(self, session: Session, position: Position) -> dict[int, Head]:
        if self._named is not None:
            found = repository.heads_named(session, self._named)
            return {head.study_id: head for head in found}
        heads = {each.study_id: each for each in repository.heads_open(session, position.floor)}
        ended = [key for key in position.seen if key not in heads]
        if ended:
            heads.update((each.study_id, each) for each in repository.heads_of(session, ended))
        return heads

    def _begin_named(
        self, session: Session, named: Mapping[str, int | None], resumed: Position | None
    ) -> Position:
        begun = Position(is_named=True)
        for head in repository.heads_named(session, named):
            given = named[head.uid]
            sequence = head.sequence if given is None else min(given, head.sequence)
            if resumed is not None:
                # A stream of all studies leaves out those that ended and were told of.
                is_new = not resumed.is_named and head.study_id > resumed.floor
                sequence = resumed.seen.get(head.study_id, 0 if is_new else sequence)
            begun.seen[head.study_id] = sequence
            self._uids[head.study_id] = head.uid
        return begun

    def _begin_all(self, session: Session) -> Position:
        position, heads = _now(session)
        self._uids = {head.study_id: head.uid for head in heads}
        return position

    def _say_gone(self, position: Position, uid: str) -> Message:
        self._gone.add(uid)
        return Message("gone", position.encode(), study=uid)

    def _reset(self, session: Session) -> Message:
        """Begin anew from now: the reader loads what it missed."""
        if self._named is None:
            self._position = self._begin_all(session)
        else:
            self._position = self._begin_named(session, dict.fromkeys(self._named), None)
        return Message("reset", self._position.encode())


def cursor(session: Session) -> str:
    """Where a reader of all studies is that has just read everything: for a page's data."""
    return _now(session)[0].encode()


def parse_named(text: str | None) -> dict[str, int | None] | None:
    """Studies as a query names them: ``a,b:12``, with the sequence to begin after.

    Raises:
        InvalidInput: It names something else, or too many.
    """
    if text is None:
        return None
    named: dict[str, int | None] = {}
    for part in text.split(","):
        uid, colon, sequence = part.partition(":")
        is_number = sequence.isascii() and sequence.isdigit() and len(sequence) < 16
        if not is_uid(uid) or (colon and not is_number):
            raise InvalidInput(
                "studies", part[:40], "name studies by their ids, with commas between: a,b:12"
            )
        named[uid] = int(sequence) if colon else None
    if len(named) > MAX_NAMED:
        raise InvalidInput("studies", len(named), f"name at most {MAX_NAMED} studies")
    return named


def _now(session: Session) -> tuple[Position, list[Head]]:
    """The place of a reader of all studies that knows everything up to now."""
    floor = repository.newest_before(session, database_now(session) - SETTLED_AFTER)
    heads = repository.heads_open(session, floor)
    position = Position(
        floor=floor,
        num_settled=repository.num_up_to(session, floor),
        seen={head.study_id: head.sequence for head in heads},
    )
    return position, heads


def _settle(session: Session, position: Position, heads: Mapping[int, Head]) -> None:
    """Leave out of the position what no event can come from any more."""
    settled_before = database_now(session) - SETTLED_AFTER
    old = [key for key, head in heads.items() if head.created_at < settled_before]
    floor = max([position.floor, *old])
    if floor > position.floor:
        position.floor, position.num_settled = floor, repository.num_up_to(session, floor)
    for key in [key for key in position.seen if key <= position.floor]:
        if heads[key].has_ended:
            del position.seen[key]
