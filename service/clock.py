"""What time it is: one clock for all deadlines."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.database.types import UtcDateTime

CLOCK = func.clock_timestamp(type_=UtcDateTime)
"""The clock of a database that has its own."""


def utc_now() -> datetime:
    """This process's wall clock, with its zone."""
    return datetime.now(UTC)


def database_now(session: Session) -> datetime:
    """The clock that leases are measured by.

    On Postgres it is the server's, so that service processes with skewed clocks agree;
    SQLite has one service process, so its own clock serves.
    """
    if not has_own_clock(session):
        return utc_now()
    now = session.scalar(_NOW)
    assert now is not None
    return now


_NOW = select(CLOCK)


def has_own_clock(session: Session) -> bool:
    """Whether the database has a clock that leases are measured by: ``CLOCK``."""
    return session.get_bind().dialect.name != "sqlite"
