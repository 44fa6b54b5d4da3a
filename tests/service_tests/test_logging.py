"""Logs: a JSON object a line with the ids of what it is about, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import threading
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import httpx2
import pytest

from recipes.logs import LogFormat, LogLevel, about, set_up
from service.web.observation import ids_of
from tests.processes import END_WITH_US, SEVENSTEP, free_port, serving
from tests.service_tests.served import served

SECRET = "svs_" + "s3cr3t" * 8


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes; how logging was set up before comes back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_carries_what_it_is_about(stream: io.StringIO) -> None:
    set_up(level=LogLevel.INFO, format=LogFormat.JSON, stream=stream)
    log = logging.getLogger("somewhere.deep")
    with about(study="s1"):
        with about(attempt="a1", trial=None):
            log.info("inside %d", 7)
        log.info("between", extra={"attempt": "a2"})
    log.info("outside")

    inside, between, outside = lines(stream)
    assert inside["message"] == "inside 7"
    assert (inside["study"], inside["attempt"]) == ("s1", "a1")
    assert "trial" not in inside
    assert (between["study"], between["attempt"]) == ("s1", "a2")
    assert "study" not in outside
    assert inside["level"] == "info"
    assert inside["logger"] == "somewhere.deep"
    assert inside["process"] == os.getpid()
    assert inside["time"].endswith("Z")


def test_a_traceback_stays_on_its_line(stream: io.StringIO) -> None:
    set_up(level=LogLevel.INFO, format=LogFormat.JSON, stream=stream)
    try:
        raise ValueError("with\na line break")
    except ValueError:
        logging.getLogger("x").exception("it failed")
    (line,) = lines(stream)
    assert "ValueError: with\na line break" in line["exception"]
    assert "Traceback" in line["exception"]


@pytest.mark.parametrize("format", LogFormat)
def test_secrets_are_crossed_out(format: LogFormat, stream: io.StringIO) -> None:
    set_up(level=LogLevel.INFO, format=format, stream=stream)
    log = logging.getLogger("x")
    log.info("token %s", SECRET)
    log.info("x", extra={"route": f"/login?code={SECRET}"})
    try:
        raise ValueError(f"postgresql://user:{SECRET}@host/name")
    except ValueError:
        log.exception("it failed")
    assert SECRET not in stream.getvalue()
    assert stream.getvalue().count("[redacted]") >= 2


def test_levels_and_noisy_libraries(stream: io.StringIO) -> None:
    set_up(level=LogLevel.WARNING, format=LogFormat.PLAIN, stream=stream)
    logging.getLogger("x").info("not this")
    logging.getLogger("httpx2").info("nor this")
    with about(study="s1", attempt="a1"):
        logging.getLogger("x").warning("of study s1")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("WARNING of study s1 [attempt=a1]")


def test_a_thread_is_about_nothing_unless_it_is_told(stream: io.StringIO) -> None:
    set_up(level=LogLevel.INFO, format=LogFormat.JSON, stream=stream)
    log = logging.getLogger("x")
    with about(study="s1"):
        for target in (log.info, copy_context().run):
            arguments = ("alone",) if target == log.info else (log.info, "told")
            thread = threading.Thread(target=target, args=arguments)
            thread.start()
            thread.join()
    alone, told = lines(stream)
    assert "study" not in alone
    assert told["study"] == "s1"


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("/api/v1/studies/abcdefgh12345678/trials/7/curves", ("abcdefgh12345678", "7")),
        ("/studies/abcdefgh12345678", ("abcdefgh12345678", None)),
        ("/studies/../etc/passwd", (None, None)),
        ("/studies/short", (None, None)),
        ("/studies/abcdefgh12345678x", (None, None)),
    ],
)
def test_what_a_path_is_about(path: str, ids: tuple[str | None, str | None]) -> None:
    found = ids_of(path)
    assert (found.get("study"), found.get("trial")) == ids


def test_requests_are_logged_where_asked_for(
    stream: io.StringIO, tmp_path: Path, sqlite_template: Path
) -> None:
    with served(tmp_path / "data", sqlite_template, log_requests=True) as client:
        set_up(level=LogLevel.INFO, format=LogFormat.JSON, stream=stream)
        study = client.create()["id"]
        client.get(f"/api/v1/studies/{study}/steps/3")
        client.get("/healthz")
        client.get("/nowhere%0aFORGED%20line%0d")
        client.get(f"/login?code={SECRET}")

    told = [line for line in lines(stream) if line["logger"] == "service.web.observation"]
    assert [line["status"] for line in told[:2]] == [201, 404]
    assert told[1]["route"] == "/api/v1/studies/{study}/steps/{number}"
    assert (told[1]["study"], told[1]["step"]) == (study, "3")
    assert told[1]["seconds"] >= 0
    assert "/healthz" not in {line["route"] for line in told}
    assert SECRET not in stream.getvalue()
    (forged,) = [line for line in told if "FORGED" in line["message"]]
    assert forged["message"].startswith("GET /nowhere%0AFORGED%20line%0D answered ")


def test_the_service_logs_as_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEVENSTEP_LOG_FORMAT", "json")
    monkeypatch.setenv("SEVENSTEP_LOG_REQUESTS", "true")
    with serving(tmp_path / "data") as (process, file):
        httpx2.get(f"{file.address}/nowhere", trust_env=False)
        process.terminate()
        _, written = process.communicate(timeout=30)
    told = [json.loads(line) for line in written.splitlines()]
    assert any(line.get("route") == "other" and line["status"] in (401, 404) for line in told)


def test_a_worker_logs_as_it_is_told(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "SEVENSTEP_LOG_FORMAT": "json",
        "SEVENSTEP_LOG_LEVEL": "debug",
        "SEVENSTEP_TOKEN": SECRET,
        "SEVENSTEP_CONNECT_SECONDS": "0",
        "SEVENSTEP_DATA_DIR": str(tmp_path),
    }
    command = [*SEVENSTEP, "worker", "--server", f"http://127.0.0.1:{free_port()}", "--slots", "1"]
    done = subprocess.run(
        [*command, END_WITH_US], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("{")]
    assert all(json.loads(line)["level"] for line in said)
    assert SECRET not in done.stderr


def test_the_conductor_says_whether_it_lives(tmp_path: Path) -> None:
    command = [*SEVENSTEP, "conductor", "--check", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "no conductor has stirred" in done.stderr
