"""More requests that write at once than there are threads to answer them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.database.engine import BUSY_TIMEOUT_SECONDS
from tests.service_tests.served import STUDY, served

WRITERS = 64
"""Threads that run endpoints are forty."""


@pytest.mark.parametrize("has_keys", [False, True], ids=["plain", "with keys"])
def test_all_are_answered_before_any_gives_up(
    tmp_path: Path, sqlite_template: Path, has_keys: bool
) -> None:
    together = threading.Barrier(WRITERS)
    unlimited = {"run_conductor": False, "max_requests_per_second": 0}
    with served(tmp_path / "data", sqlite_template, **unlimited) as client:

        def create(number: int) -> int:
            headers = {"Idempotency-Key": f"key-{number}"} if has_keys else {}
            together.wait()
            return client.post("/api/v1/studies", json=STUDY, headers=headers).status_code

        began = time.monotonic()
        with ThreadPoolExecutor(WRITERS) as pool:
            statuses = list(pool.map(create, range(WRITERS)))
        took = time.monotonic() - began

    assert statuses == [201] * WRITERS
    assert took < BUSY_TIMEOUT_SECONDS
