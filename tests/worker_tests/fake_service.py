"""A small service with a script, for tests of the worker: real HTTP on loopback.

It keeps the worker-facing contract: tokens, fences, long polls, problem documents, writes
that have the effect of once. It judges nothing and plans nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from recipes.outcome import MemberOutcome
from recipes.run import Job
from recipes.wire import (
    Claim,
    ClaimRequest,
    FinishRequest,
    HeartbeatRequest,
    PointsRequest,
    RegisterRequest,
    ResumePoint,
    Snapshot,
)

TOKEN = "svs_test"
ATTEMPT_TOKEN = "svsa_test_"
"""What an attempt's own token begins with; its name follows."""
Point = tuple[int, str, str, int, float]
"""(trial, metric, split, iteration, value)."""


class Problem(Exception):
    def __init__(self, status: int, code: str, retry_after: str | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.retry_after = retry_after


@dataclass
class AttemptRecord:
    """What the service knows of one attempt."""

    job: Job
    fence: int
    resume: tuple[ResumePoint, ...] = ()
    used: tuple[Snapshot, ...] = ()
    worker: str | None = None
    slot: int | None = None
    points: list[Point] = field(default_factory=list)  # in order of arrival, each once
    outcomes: list[MemberOutcome] = field(default_factory=list)
    checkpoints: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    snapshots: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    arrivals: list[str] = field(default_factory=list)  # artifacts and outcomes, in order
    finish: FinishRequest | None = None
    num_heartbeats: int = 0
    num_writes: int = 0
    num_refused: int = 0
    command: str = "continue"
    drop: tuple[int, ...] = ()


class FakeService:
    """Start it with ``with``; change what it answers from the test's own thread."""

    def __init__(
        self,
        *,
        heartbeat_seconds: float = 0.1,
        lease_seconds: float = 1.0,
        max_offline_seconds: float = 60.0,
    ) -> None:
        self.periods = {
            "heartbeat_seconds": heartbeat_seconds,
            "lease_seconds": lease_seconds,
            "max_offline_seconds": max_offline_seconds,
        }
        self.changed = threading.Condition(threading.RLock())
        self.attempts: dict[str, AttemptRecord] = {}
        self.workers: dict[str, RegisterRequest] = {}
        self.goodbyes: list[str] = []
        self.artifacts: dict[str, bytes] = {}
        self.num_fetched: Counter[str] = Counter()
        self.num_worker_heartbeats = 0
        self.trouble: list[tuple[str, Problem]] = []  # what the next call of a path's end gets
        self.broken: dict[str, Problem] = {}  # what every call of a path's end gets
        self.token = TOKEN
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self._num_workers = 0
        self._failure: Exception | None = None

    def __enter__(self) -> FakeService:
        self.come_back()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_away()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def come_back(self) -> None:
        """Listen, on the same port as before; everything known is still known."""
        service = self

        class Bound(_Handler):
            def answer(self) -> tuple[int, bytes]:
                return service.answer(self)

            def is_away(self) -> bool:
                return service._server is not self.server

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that has gone away is part of the tests."""

        self._server = Quiet(("127.0.0.1", self._port), Bound)
        self._port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def go_away(self) -> None:
        """Refuse connections, and break those there are."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def enqueue(
        self,
        job: Job,
        *,
        resume: tuple[ResumePoint, ...] = (),
        used: tuple[Snapshot, ...] = (),
        fence: int = 1,
    ) -> AttemptRecord:
        with self.changed:
            record = AttemptRecord(job, fence, resume, used)
            self.attempts[f"a{len(self.attempts)}"] = record
            self.changed.notify_all()
            return record

    def fence(self, record: AttemptRecord) -> None:
        """The attempt belongs to somebody else from now on."""
        with self.changed:
            record.fence += 1

    def wait_for(self, condition: Callable[[], Any], timeout_seconds: float = 20.0) -> None:
        with self.changed:
            happened = self.changed.wait_for(lambda: self._failure or condition(), timeout_seconds)
            assert self._failure is None, f"the agent failed: {self._failure}"
            assert happened, "it never happened"

    def give_up(self, failure: Exception) -> None:
        """Nothing more will come: the agent failed."""
        with self.changed:
            self._failure = failure
            self.changed.notify_all()

    def answer(self, request: _Handler) -> tuple[int, bytes]:
        """The status and body for a request; raises Problem for all that goes wrong."""
        url = urlsplit(request.path)
        own = re.match("/api/v1/attempts/([^/]+)/", url.path)
        token = f"{ATTEMPT_TOKEN}{own[1]}" if own else self.token
        if request.headers.get("Authorization") != f"Bearer {token}":
            raise Problem(401, "unauthorized")
        with self.changed:
            for end, problem in self.broken.items():
                if url.path.endswith(end):
                    raise problem
            for trouble in self.trouble:
                if url.path.endswith(trouble[0]):
                    self.trouble.remove(trouble)
                    raise trouble[1]
            _, _, path = url.path.partition("/api/v1")
            for method, pattern, action in ROUTES:
                match = re.fullmatch(pattern, path)
                if match and method == request.command:
                    query = {key: values[0] for key, values in parse_qs(url.query).items()}
                    status, body = action(self, *match.groups(), request.body, query)
                    self.changed.notify_all()
                    return status, body
        raise Problem(404, "no_route")

    def register(self, body: bytes, _: dict[str, str]) -> tuple[int, bytes]:
        self._num_workers += 1
        worker = f"w{self._num_workers}"
        self.workers[worker] = RegisterRequest.model_validate_json(body)
        return 200, json.dumps({"worker": worker, **self.periods}).encode()

    def claim(self, worker: str, body: bytes, _: dict[str, str]) -> tuple[int, bytes]:
        request = ClaimRequest.model_validate_json(body)
        until = time.monotonic() + request.wait_seconds
        while True:
            if worker not in self.workers:
                raise Problem(404, "unknown_worker")
            for name, record in self.attempts.items():
                if record.worker is None:
                    record.worker, record.slot = worker, request.slot
                    claim = Claim(
                        attempt=name,
                        fence=record.fence,
                        token=f"{ATTEMPT_TOKEN}{name}",
                        study="s0",
                        lease_seconds=self.periods["lease_seconds"],
                        job=record.job,
                        resume=record.resume,
                        snapshots=record.used,
                    )
                    return 200, claim.model_dump_json().encode()
            if not self.changed.wait(until - time.monotonic()):
                return 204, b""

    def worker_heartbeat(self, worker: str, _: bytes, __: dict[str, str]) -> tuple[int, bytes]:
        if worker not in self.workers:
            raise Problem(404, "unknown_worker")
        self.num_worker_heartbeats += 1
        return 204, b""

    def goodbye(self, worker: str, _: bytes, __: dict[str, str]) -> tuple[int, bytes]:
        self.workers.pop(worker, None)
        self.goodbyes.append(worker)
        return 204, b""

    def heartbeat(self, attempt: str, body: bytes, _: dict[str, str]) -> tuple[int, bytes]:
        record = self._fenced(attempt, HeartbeatRequest.model_validate_json(body).fence)
        record.num_heartbeats += 1
        answer = {"command": record.command, "drop": record.drop}
        return 200, json.dumps(answer).encode()

    def points(self, attempt: str, body: bytes, _: dict[str, str]) -> tuple[int, bytes]:
        request = PointsRequest.model_validate_json(body)
        accepted = self._store_points(self._fenced(attempt, request.fence), request)
        return 200, json.dumps({"accepted": accepted}).encode()

    @staticmethod
    def _store_points(record: AttemptRecord, request: PointsRequest) -> int:
        known = set(record.points)
        new = [
            (block.trial, block.metric, block.split, iteration, value)
            for block in request.blocks
            for iteration, value in zip(block.iterations, block.values, strict=True)
        ]
        fresh = [point for point in new if point not in known]
        record.points += fresh
        ended = {outcome.trial for outcome in record.outcomes}
        new_outcomes = [item for item in request.outcomes if item.trial not in ended]
        record.outcomes += new_outcomes
        record.arrivals += [f"outcome {item.trial}" for item in new_outcomes]
        return len(fresh)

    def store(self, attempt: str, body: bytes, query: dict[str, str]) -> tuple[int, bytes]:
        record = self._fenced(attempt, int(query["fence"]))
        trial, epoch, iteration = (int(query[key]) for key in ("trial", "epoch", "iteration"))
        kept = {"checkpoint": record.checkpoints, "snapshot": record.snapshots}[query["kind"]]
        kept.append((trial, epoch, iteration, body))
        record.arrivals.append(f"{query['kind']} {trial}")
        name = f"f{len(self.artifacts)}"
        self.artifacts[name] = body
        digest = hashlib.sha256(body).hexdigest()
        return 200, json.dumps({"artifact": name, "sha256": digest}).encode()

    def fetch(self, _: str, artifact: str, __: bytes, ___: dict[str, str]) -> tuple[int, bytes]:
        if artifact not in self.artifacts:
            raise Problem(404, "not_found")
        self.num_fetched[artifact] += 1
        return 200, self.artifacts[artifact]

    def finish(self, attempt: str, body: bytes, _: dict[str, str]) -> tuple[int, bytes]:
        request = FinishRequest.model_validate_json(body)
        record = self._fenced(attempt, request.fence)
        self._store_points(record, request)
        record.finish = request
        return 204, b""

    def _fenced(self, attempt: str, fence: int) -> AttemptRecord:
        if attempt not in self.attempts:
            raise Problem(404, "unknown_attempt")
        record = self.attempts[attempt]
        if record.fence != fence:
            record.num_refused += 1
            self.changed.notify_all()
            raise Problem(409, "fenced")
        record.num_writes += 1
        return record


ROUTES: list[tuple[str, str, Callable[..., tuple[int, bytes]]]] = [
    ("POST", "/workers/register", FakeService.register),
    ("POST", "/workers/([^/]+)/claim", FakeService.claim),
    ("POST", "/workers/([^/]+)/heartbeat", FakeService.worker_heartbeat),
    ("DELETE", "/workers/([^/]+)", FakeService.goodbye),
    ("POST", "/attempts/([^/]+)/heartbeat", FakeService.heartbeat),
    ("POST", "/attempts/([^/]+)/points", FakeService.points),
    ("POST", "/attempts/([^/]+)/artifacts", FakeService.store),
    ("GET", "/attempts/([^/]+)/artifacts/([^/]+)", FakeService.fetch),
    ("POST", "/attempts/([^/]+)/finish", FakeService.finish),
]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body: bytes = b""

    def answer(self) -> tuple[int, bytes]:
        raise AssertionError("bound by the service")

    def is_away(self) -> bool:
        raise AssertionError("bound by the service")

    def _serve(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.is_away():
            self.close_connection = True
            return
        headers = {"Content-Type": "application/json"}
        try:
            status, body = self.answer()
        except Problem as problem:
            status = problem.status
            body = json.dumps({"title": problem.code, "code": problem.code}).encode()
            headers = {"Content-Type": "application/problem+json"}
            if problem.retry_after is not None:
                headers["Retry-After"] = problem.retry_after
        if self.is_away():  # killed between effect and answer: the client cannot know
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _serve

    def log_message(self, *_: object) -> None:
        """Tests read the records, not a log."""
