"""Where a stream of several studies' events is, and the cursor that says so.

A number for all events together would not do: on Postgres a transaction may commit below
what a reader has seen. Sequences are given under each study's row lock, so a position is a
sequence a study; ended studies, which get no more events, are left out of it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from service.errors import InvalidInput

MAX_STUDIES_IN_CURSOR = 1_000
"""Studies that a cursor can hold: about 4 kB, below what servers and proxies take as a header."""
MAX_CURSOR = 16_384
"""Characters of the longest cursor that is read."""
MAX_KEY = 2**63 - 1
"""The highest key of a study that both databases take."""
MAX_SEQUENCE = 2**31 - 1
"""The highest sequence of an event: its column is of four bytes on Postgres."""

_ALL, _NAMED, _TOO_MANY = b"a", b"n", b"x"


@dataclass(slots=True)
class Position:
    """What a reader has seen.

    Attributes:
        is_named: Whether the reader named its studies; else it reads all of them.
        floor: Studies with a key up to this one that are not in ``seen`` have ended, and
            all their events were seen. Later ones that are not in it are new.
        num_settled: How many studies there were with a key up to ``floor``.
        seen: The sequence of the last event seen, by the study's key.
    """

    is_named: bool = False
    floor: int = 0
    num_settled: int = 0
    seen: dict[int, int] = field(default_factory=dict)

    def encode(self) -> str:
        """The position as an opaque text."""
        if len(self.seen) > MAX_STUDIES_IN_CURSOR:
            return _text(_TOO_MANY)
        packed = bytearray(_NAMED if self.is_named else _ALL)
        packed += _varint(self.floor) + _varint(self.num_settled)
        last = 0
        for study_id, sequence in sorted(self.seen.items()):
            packed += _varint(study_id - last) + _varint(sequence)
            last = study_id
        return _text(bytes(packed))

    @classmethod
    def decode(cls, cursor: str) -> Position | None:
        """The position of a cursor; None where it held too many studies to say.

        Raises:
            InvalidInput: It is not one of ours.
        """
        try:
            if len(cursor) > MAX_CURSOR:
                raise ValueError
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            packed = base64.b64decode(padded, altchars=b"-_", validate=True)
            kind, numbers = packed[:1], list(_varints(packed[1:]))
            if kind == _TOO_MANY and not numbers:
                return None
            if kind not in (_ALL, _NAMED) or len(numbers) < 2 or len(numbers) % 2:
                raise ValueError
            position = cls(is_named=kind == _NAMED, floor=numbers[0], num_settled=numbers[1])
            study_id = 0
            for step, sequence in zip(numbers[2::2], numbers[3::2], strict=True):
                study_id += step
                if study_id > MAX_KEY or sequence > MAX_SEQUENCE:
                    raise ValueError
                position.seen[study_id] = sequence
        except (ValueError, binascii.Error):
            raise InvalidInput(
                "cursor", cursor[:40], "give the id of an event of this stream, unchanged"
            ) from None
        return position


class Cursors:
    """The cursors of a position that moves on event by event, each made of the one before.

    Only the part of the study that moved is made anew: to encode the whole position after
    each of thousands of events would take seconds where many studies are open.

    Args:
        position: Where it begins.
        moving: The keys of the studies that events come from; one that is not in the position
            yet is at 0.
    """

    def __init__(self, position: Position, moving: Iterable[int]) -> None:
        seen = {**dict.fromkeys(moving, 0), **position.seen}
        self._has_room = len(seen) <= MAX_STUDIES_IN_CURSOR
        kind = _NAMED if position.is_named else _ALL
        self._head = kind + _varint(position.floor) + _varint(position.num_settled)
        self._places: dict[int, int] = {}
        self._steps: list[bytes] = []
        self._parts: list[bytes] = []
        last = 0
        for place, (study_id, sequence) in enumerate(sorted(seen.items())):
            self._places[study_id] = place
            self._steps.append(_varint(study_id - last))
            self._parts.append(self._steps[-1] + _varint(sequence))
            last = study_id

    def after(self, study_id: int, sequence: int) -> str:
        """The cursor once this event of a study has been seen too."""
        if not self._has_room:
            return _text(_TOO_MANY)
        place = self._places[study_id]
        self._parts[place] = self._steps[place] + _varint(sequence)
        return _text(self._head + b"".join(self._parts))


def _text(packed: bytes) -> str:
    return base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    packed = bytearray()
    while number > 0x7F:
        packed.append(0x80 | (number & 0x7F))
        number >>= 7
    packed.append(number)
    return bytes(packed)


def _varints(packed: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte & 0x80:
            continue
        if number > MAX_KEY:
            raise ValueError
        yield number
        number = shift = 0
    if shift:
        raise ValueError
