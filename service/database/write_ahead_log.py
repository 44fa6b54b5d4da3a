"""SQLite's write-ahead log: readers and the writer go on beside each other."""

from __future__ import annotations

import sqlite3
import time

WAIT_SECONDS = 15.0
"""How long the change of a new file's journal mode is tried."""
PAUSE_SECONDS = 0.01


def use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Put the connection's file into WAL mode, where it stays.

    Two connections that change a new file's mode at once would wait for each other for ever,
    so SQLite refuses one of them at once, whatever its timeout: that one asks again.

    Raises:
        sqlite3.OperationalError: The file is locked all the while, or cannot be changed.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return
