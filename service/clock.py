"""What time it is: one clock for all deadlines."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def utc_now() -> datetime:
    """This process's wall clock, with its zone."""
    return datetime.now(UTC)


def database_now(session: Session) -> datetime:
    """The clock that leases are measured by.

    On Postgres it is the server's, so that service processes with skewed clocks agree;
    SQLite has one service process, so its own clock serves.
    """
    if session.get_bind().dialect.name == "sqlite":
        return utc_now()
    now = session.scalar(select(func.clock_timestamp()))
    assert isinstance(now, datetime)
    return now.astimezone(UTC)
