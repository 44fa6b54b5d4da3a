"""The examples in the OpenAPI document, of studies that really ran: ``make examples``.

Starts the service in this process and a worker beside it, runs a small study on handwritten
digits and a second one that is steered, and writes down what was asked and answered: what the
worker says, too. Long lists are cut short, secrets and this machine's names are replaced.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access import TokenScope
from service.server.app import create_app
from service.server.examples import FILE
from service.settings import Settings
from service.use_cases import tokens
from service.web.context import open_context

log = logging.getLogger("examples")

ADDRESS = "http://127.0.0.1:8080"
"""What the documents call the service."""
FEW, MANY = 2, 4
"""Items that are left of a list of objects or lists, and of one of numbers or words."""
SECRET = re.compile(r"\bsvsa?_[A-Za-z0-9_-]{40,}")
CODE = re.compile(r"(?<=code=)[^&\"]+")
PATIENCE_SECONDS = 1200.0
SEARCHED: dict[str, Any] = {
    "name": "first look",
    "task": "digits",
    "steps": [1, 2, 3, 4],
    "search": {"coarse_trials": 4, "coarse_epochs": 2},
}
STEERED: dict[str, Any] = {
    "name": "rates that are too low",
    "task": "digits",
    "steps": [3],
    "space": {"lr": {"kind": "float", "low": 1e-5, "high": 1e-4, "log": True}},
    "autopilot": False,
}
"""The finder asks to look higher, and this study waits with it."""
CURVES = {
    "loss": [2.31, 1.42, 0.98, 0.71, 0.55, 0.41, 0.30, 0.22, 0.15, 0.10],
    "val_loss": [2.30, 1.51, 1.20, 1.08, 1.05, 1.09, 1.16, 1.26, 1.38, 1.50],
}
Exchange = dict[str, Any]


class Recorder:
    """Passes requests on, and keeps the fullest exchange of each operation.

    Args:
        app: The service.
        operations: By method and pattern of the path, the operation's name.
    """

    def __init__(self, app: ASGIApp, operations: list[tuple[str, re.Pattern[str], str]]) -> None:
        self._app = app
        self._operations = operations
        self.kept: dict[str, Exchange] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one on, and listen."""
        asked, answered, kinds, status = bytearray(), bytearray(), b"", 0

        async def heard() -> Message:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def said(message: Message) -> None:
            nonlocal status, kinds
            if message["type"] == "http.response.start":
                status = message["status"]
                kinds = dict(message["headers"]).get(b"content-type", b"")
            answered.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, heard, said)
        if scope["type"] != "http" or not 200 <= status < 300:
            return
        found: Exchange = {}
        if dict(scope["headers"]).get(b"content-type") == b"application/json" and asked:
            found["request"] = json.loads(asked)
        if kinds.startswith(b"application/json") and answered:
            found["answer"] = json.loads(answered)
        for method, pattern, name in self._operations:
            if scope["method"] == method and pattern.fullmatch(scope["path"]) and found:
                kept = self.kept.get(name, {})
                self.kept[name] = max(kept, found, key=lambda each: len(json.dumps(each)))


def main() -> None:
    """Run, record, write."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        settings = Settings(data_dir=data_dir, heartbeat_seconds=1.0, max_requests_per_second=0)
        with serving(settings) as (recorder, client, worker_token):
            with working(str(client.base_url), worker_token, Path(folder)):
                log.info("training; this takes a minute or two")
                ask_everything(client)
            address = str(client.base_url).rstrip("/")
    text = json.dumps(dict(sorted(recorder.kept.items())))
    text = text.replace(address, ADDRESS)
    text = CODE.sub("not-a-real-code", SECRET.sub("svs_not-a-real-token", text))
    for private in (folder, str(Path(__file__).resolve().parents[1]), str(Path.home())):
        if private != "/" and private in text:
            sys.exit(f"an example names {private}, a path of this machine: nothing was written")
    examples = shortened(json.loads(text))
    FILE.write_text(json.dumps(examples, indent=1, ensure_ascii=False) + "\n")
    log.info("%d operations are in %s", len(examples), FILE.name)


def ask_everything(client: httpx.Client) -> None:
    """Every route that people and programs use, each at least once with success."""
    steered = f"/api/v1/studies/{done(client.post('/api/v1/studies', json=STEERED))['id']}"
    until(client, steered, "needs_action")
    done(client.post(f"{steered}/steps/3/accept"))
    until(client, steered, "needs_action")
    done(client.get(f"{steered}/steps/3"))
    done(client.post(f"{steered}/steps/3/rerun"))
    until(client, steered, "needs_action")
    reason = {"reason": "The low rates are what I want to know about."}
    done(client.post(f"{steered}/steps/3/skip", json=reason))
    study = f"/api/v1/studies/{done(client.post('/api/v1/studies', json=SEARCHED))['id']}"
    done(client.post(f"{study}/pause"))
    done(client.post(f"{study}/resume"))
    until(client, study, "completed")
    other = done(client.post("/api/v1/studies", json={**SEARCHED, "name": "another"}))["id"]
    done(client.post(f"/api/v1/studies/{other}/cancel"))
    for path in ("", "/report.json", "/steps", "/steps/4", "/trials", "/findings"):
        done(client.get(study + path))
    trial = done(client.get(study))["best"]["trial"]
    done(client.get(f"{study}/trials/{trial}"))
    done(client.get(f"{study}/trials/{trial}/curves"))
    worker = done(client.get("/api/v1/workers"))["items"][0]["id"]
    token = {"name": "nightly script", "scope": "write", "lifetime_seconds": 86400.0}
    done(client.post("/api/v1/tokens", json=token))
    done(client.post("/api/v1/tokens/links"))
    done(client.post("/api/v1/diagnose", json={"name": "my run", "curves": CURVES}))
    for path in (f"/api/v1/workers/{worker}", "/api/v1/studies", "/api/v1/tokens"):
        done(client.get(path))
    for path in ("/healthz", "/readyz"):
        done(client.get(path))


def done(answer: httpx.Response) -> Any:
    """An answer's document. Ends the script when the request was refused."""
    if answer.is_error:
        sys.exit(f"{answer.request.method} {answer.request.url.path}: {answer.text}")
    return answer.json()


def until(client: httpx.Client, study: str, state: str) -> None:
    """Wait for a study's state."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := done(client.get(study)))["state"] != state:
        if found["state"] in ("completed", "failed", "cancelled", "needs_action"):
            sys.exit(f"{found['name']} is {found['state']}, not {state}: {found['reason']}")
        if time.monotonic() > deadline:
            sys.exit(f"{found['name']} was not {state} after {PATIENCE_SECONDS:g} seconds")
        time.sleep(0.5)


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[Recorder, httpx.Client, str]]:
    """The service on a free port; a client with an admin's token, and a worker's token."""
    context = open_context(settings)
    with context.database.write() as session:
        admin = tokens.replace_token(session, name="admin", scope=TokenScope.ADMIN)
        worker = tokens.replace_token(session, name="lab", scope=TokenScope.WORKER)
    app = create_app(settings, opened=context)
    operations = [
        (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), found["operationId"])
        for path, methods in app.openapi()["paths"].items()
        for method, found in methods.items()
    ]
    recorder = Recorder(app, operations)
    server = uvicorn.Server(uvicorn.Config(recorder, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": f"Bearer {admin}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
        try:
            yield recorder, client, worker
        finally:
            context.closing.set()
            server.should_exit = True
            thread.join(30)


@contextmanager
def working(address: str, token: str, folder: Path) -> Iterator[None]:
    """A worker with one slot, that saves often enough to show how."""
    command = [*(sys.executable, "-P", "-m", "recipes.cli", "worker", "--exit-with-stdin")]
    options = [*("--server", address, "--slots", "1", "--name", "lab-1")]
    environment = {
        **os.environ,
        "SEVENSTEP_TOKEN": token,
        "SEVENSTEP_DATA_DIR": str(folder / "worker"),
        "SEVENSTEP_CHECKPOINT_SECONDS": "0.2",
    }
    process = subprocess.Popen([*command, *options], stdin=subprocess.PIPE, env=environment)
    assert process.stdin is not None
    try:
        yield
    finally:
        process.stdin.close()
        process.wait(60)


def shortened(value: Any) -> Any:
    """The same with long lists cut: an example shows a form, not a study."""
    if isinstance(value, dict):
        return {name: shortened(each) for name, each in value.items()}
    if isinstance(value, list):
        is_flat = not any(isinstance(each, (dict, list)) for each in value)
        return [shortened(each) for each in value[: MANY if is_flat else FEW]]
    return value


if __name__ == "__main__":
    main()
