from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from service.local_engine import LocalEngine


def test_an_error_before_the_start_does_not_end_the_watch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tries = threading.Semaphore(0)

    def bury(name: str) -> None:
        tries.release()
        raise OperationalError("UPDATE worker", {}, Exception("the database went away"))

    engine = LocalEngine(
        server="http://127.0.0.1:1", token="svs_none", slots=1, data_dir=tmp_path, bury=bury
    )
    engine.start()
    tried_again = [tries.acquire(timeout=10) for _ in range(2)]
    engine.stop()
    assert all(tried_again)
    assert "the database went away" in caplog.text
    assert "could not be run after 0 s; starting again in 0.5 s" in caplog.text
