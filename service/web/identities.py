"""Who has which secret, remembered for half a second: most requests need no database for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio.to_thread

from service.access import Access
from service.database.engine import Database
from service.use_cases import tokens

FRESH_SECONDS = 0.5
"""How long an answer of the database holds. A token that another process revoked is
refused after this long at the latest; one of this process at once."""
MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Remembered:
    access: Access
    revocations: int
    until: float


class Identities:
    """Looks secrets up. Used from the event loop alone.

    Unknown secrets are not remembered: a token that was just made is good at once, and
    guesses take no memory. Neither are secrets: the key is their digest.

    Args:
        database: Called when it is first needed: it is opened after the application is made.
    """

    def __init__(self, database: Callable[[], Database]) -> None:
        self._database = database
        self._remembered: dict[str, _Remembered] = {}

    async def identify(self, secret: str) -> Access | None:
        """Who has a secret; None when it is unknown, revoked or has expired."""
        database = self._database()
        key = tokens.digest(secret)
        revocations = database.hub.version(tokens.TOKENS)
        now = time.monotonic()
        known = self._remembered.get(key)
        if known is not None and known.until > now and known.revocations == revocations:
            return known.access

        def look_up() -> Access | None:
            with database.read() as session:
                return tokens.identify(session, secret)

        access = await anyio.to_thread.run_sync(look_up)
        if access is None:
            self._remembered.pop(key, None)
            return None
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = _Remembered(access, revocations, now + FRESH_SECONDS)
        return access
