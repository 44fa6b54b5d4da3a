"""Opaque names for things in addresses."""

from __future__ import annotations

import secrets
import string

ALPHABET = string.ascii_lowercase + string.digits
LENGTH = 16
"""36^16: about 83 bits, so that no uid can be guessed or made twice."""

DELETED = "deleted:"
"""Begins what a deleted study is called until its rows are gone. No uid: nothing finds it."""


def new_uid() -> str:
    """A fresh random name: 16 lower-case letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def as_deleted(uid: str) -> str:
    """What a study of this uid is called once it is deleted."""
    return DELETED + uid


def is_uid(text: str) -> bool:
    """Whether ``text`` could be a uid. Anything else is asked of no database."""
    return len(text) == LENGTH and all(character in ALPHABET for character in text)
