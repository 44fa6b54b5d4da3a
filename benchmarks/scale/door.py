"""The application in this process, asked through its HTTP door."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.testclient import TestClient

from benchmarks.harness.spread import Spread
from service.database.engine import Database
from service.server.app import create_app
from service.settings import Settings
from service.use_cases import tokens
from service.web.security import TokenScope

HOST = "http://127.0.0.1:8080"
WARM = 2
"""Calls before those that count: what is kept for the next reader is kept then."""


class Door(TestClient):
    """A client of the application with an admin's token."""

    @property
    def database(self) -> Database:
        """The application's."""
        found: Database = self.app.state.context.database  # type: ignore[attr-defined]
        return found

    def get_page(self, path: str) -> Any:
        """An answer, which must be one."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer


@contextmanager
def door(settings: Settings) -> Iterator[Door]:
    """The application without a conductor of its own, and without limits on requests."""
    with Door(create_app(settings), base_url=HOST) as client:
        with client.database.write() as session:
            token = tokens.replace_token(session, name="bench", scope=TokenScope.ADMIN)
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def milliseconds(call: Callable[[], object], *, repeats: int) -> dict[str, float]:
    """How long a call takes, after two that do not count: its quartiles in milliseconds.

    Args:
        call: Does the same each time.
        repeats: How often it is measured.
    """
    for _ in range(WARM):
        call()
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        taken.append(1e3 * (time.perf_counter() - begun))
    return Spread.of(taken)._asdict()
