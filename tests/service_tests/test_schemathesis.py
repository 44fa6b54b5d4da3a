"""schemathesis against the real service: no server error, no answer that is not documented.

All its checks and phases, the event streams aside: their answers have no end. A scripted
worker answers what is planned, so that studies move on meanwhile.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from service.access import TokenScope
from service.dispatch.scripted import ScriptedDispatcher
from service.errors import ServiceError
from service.server.app import create_app
from service.settings import Settings
from service.use_cases import tokens
from service.web.context import Context, open_context
from tests.processes import free_port, wait_for
from tests.service_tests.support import Falling

HOOKS = "tests.service_tests.schemathesis_hooks"
POSSIBLE = [400, 401, 403, 404, 409, 412, 413, 422, 429, 507, "2xx", "3xx"]
"""What a request may be answered that fits its form: its values may still not fit each other,
name what is not there, or come too late."""
REFUSALS = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429, "5xx"]
"""What a request may be answered that does not fit its form; whichever of its faults is seen
first. A server error has a check of its own."""
STAYING = """
[[operations]]
include-name = "GET /api/v1/workers/{worker}"
checks.use_after_free.enabled = false
"""
"""A worker that says goodbye is not gone from the list: what it did can still be looked up."""
QUICK_SECONDS = 40
SCOPES = [TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN, TokenScope.WORKER]


@contextmanager
def moving_service(data_dir: Path, template: Path, scope: TokenScope) -> Iterator[tuple[str, str]]:
    """A service with a scripted worker; its address, and a token of a scope."""
    data_dir.mkdir()
    (data_dir / "sevenstep.db").write_bytes(template.read_bytes())
    port = free_port()
    settings = Settings(
        data_dir=data_dir, port=port, conductor_tick_seconds=0.2, max_requests_per_second=0
    )
    context = open_context(settings)
    with context.database.write() as session:
        token = tokens.replace_token(session, name="schemathesis", scope=scope)
    config = uvicorn.Config(
        create_app(settings, opened=context), port=port, log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    stop = threading.Event()
    threads = [
        threading.Thread(target=server.run, daemon=True),
        threading.Thread(target=_work, args=(context, stop), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: server.started, seconds=20, what="the service")
        yield f"http://127.0.0.1:{port}", token
    finally:
        stop.set()
        server.should_exit = True
        for thread in threads:
            thread.join(20)


def _work(context: Context, stop: threading.Event) -> None:
    """Answer what is planned. Requests under test may take a worker or a study away meanwhile."""
    dispatcher = None
    while not stop.wait(0.2):
        try:
            dispatcher = dispatcher or ScriptedDispatcher(
                context.database, Falling(), settings=context.settings
            )
            dispatcher.submit(())
        except ServiceError:
            dispatcher = None


def run(address: str, token: str, folder: Path, *options: str) -> str:
    """Run schemathesis to its end; what it printed. Fails where it found something."""
    config = folder / "schemathesis.toml"
    possible, refusals = (
        ", ".join(f'"{status}"' for status in statuses) for statuses in (POSSIBLE, REFUSALS)
    )
    config.write_text(
        f"[checks]\npositive_data_acceptance.expected-statuses = [{possible}]\n"
        f"negative_data_rejection.expected-statuses = [{refusals}]\n"
        f"[warnings]\nenabled = false\n{STAYING}"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
            *(f"{address}/openapi.json", "--header", f"Authorization: Bearer {token}"),
            *("--exclude-path-regex", "/events$", "--no-color", "--seed", "1"),
            *("--generation-database", "none", "--suppress-health-check", "all"),
            *("--request-timeout", "30", "--continue-on-failure", *options),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "SCHEMATHESIS_HOOKS": HOOKS, "COLUMNS": "100"},
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-20_000:]
    return said


def num_cases(said: str) -> int:
    found = re.search(r"(\d+) generated", said)
    return int(found[1]) if found else 0


def test_no_request_is_answered_but_as_documented(tmp_path: Path, sqlite_template: Path) -> None:
    with moving_service(tmp_path / "data", sqlite_template, TokenScope.ADMIN) as (address, token):
        said = run(
            address, token, tmp_path, "--max-time", str(QUICK_SECONDS), "--max-examples", "5"
        )
    assert num_cases(said) > 200


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("scope", SCOPES)
def test_no_scope_is_answered_but_as_documented(
    tmp_path: Path, sqlite_template: Path, scope: TokenScope
) -> None:
    with moving_service(tmp_path / "data", sqlite_template, scope) as (address, token):
        said = run(address, token, tmp_path, "--max-examples", "30", "--max-time", "300")
    assert num_cases(said) > 1000
