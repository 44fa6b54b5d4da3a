"""Takes attempts back from workers that fell silent."""

from __future__ import annotations

import logging

from service.clock import database_now
from service.database.engine import Database
from service.repositories import attempts as repository
from service.settings import Settings
from service.use_cases import attempts

log = logging.getLogger(__name__)


def reap(database: Database, *, settings: Settings) -> int:
    """End attempts whose lease has run out, and queue their next ones; how many.

    Each in a transaction of its own: a lock is held for one study at a time.
    """
    with database.read() as session:
        expired = repository.expired(session, database_now(session))
    num_lost = 0
    for uid in expired:
        try:
            with database.write() as session:
                was_lost = attempts.lose(
                    session, uid, cause="lease_expired", settings=settings, expired_only=True
                )
        except Exception:
            # One attempt's trouble must not keep the others, nor the conductor, from going on.
            log.exception("attempt %s could not be taken back; it is tried again", uid)
            continue
        if was_lost:
            num_lost += 1
    return num_lost
