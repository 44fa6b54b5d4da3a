"""What a database means by its errors."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError

POSTGRES_DISK_FULL = "53100"
"""SQLSTATE of ``disk_full`` (PostgreSQL's manual, appendix A)."""


def is_disk_full(error: DBAPIError) -> bool:
    """Whether a statement failed because the database's disk takes no more."""
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return getattr(error.orig, "sqlstate", None) == POSTGRES_DISK_FULL
