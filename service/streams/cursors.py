"""Cursors: where a page of a list ends, opaque to those who carry them."""

from __future__ import annotations

import base64
import binascii

from service.errors import InvalidInput

MAX_LIMIT = 1000
"""Most items of a page."""
MAX_LENGTH = 1_200
"""Characters of the longest: of trials by a hyperparameter with 200 characters of four bytes."""


def encode(kind: str, position: int) -> str:
    """A cursor behind ``position`` in a list of that kind."""
    return base64.urlsafe_b64encode(f"{kind}:{position}".encode()).decode().rstrip("=")


def decode(kind: str, cursor: str | None) -> int | None:
    """The position of a cursor; None for none.

    Raises:
        InvalidInput: It is not one of this list's cursors.
    """
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found, _, position = base64.urlsafe_b64decode(padded).decode().rpartition(":")
        if found == kind and 0 <= (number := int(position)) < 2**63:
            return number
    except (ValueError, binascii.Error):
        pass  # answered below, with the others
    raise InvalidInput("cursor", cursor, "give the next_cursor of an earlier page, unchanged")


def check_limit(limit: int) -> int:
    """A page's size, if it is one. Raises InvalidInput."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput("limit", limit, f"give a whole number from 1 to {MAX_LIMIT}")
    return limit
