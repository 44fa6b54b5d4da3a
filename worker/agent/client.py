"""The worker's only way to the service: HTTP, nothing else.

Errors:

ServiceError
├── Unreachable     no answer, or one that asks to come back later: try again
├── Gone            the service no longer has that artifact
├── Fenced          the attempt is no longer this worker's: write nothing more
├── UnknownWorker   the service does not know this worker: register again
├── Unauthorized    the token is missing, wrong or revoked
└── Refused         the service understood and said no, or is not the service we know
"""

from __future__ import annotations

import copy
import hashlib
import ipaddress
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from recipes.wire import (
    ArtifactKind,
    CheckpointAnswer,
    Claim,
    ClaimRequest,
    FinishRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    PointsAnswer,
    PointsRequest,
    RegisterAnswer,
    RegisterRequest,
)

PREFIX = "/api/v1"
CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
"""Longest silence in an answer; also of sending, and of waiting for a free connection."""
RETRIED_STATUSES = frozenset({408, 425, 429})
Answer = TypeVar("Answer", bound=BaseModel)


class ServiceError(Exception):
    """A call that did not have its effect, as far as this side knows."""


class Unreachable(ServiceError):
    """No answer, or one that asks to come back later. Trying again is right."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Gone(ServiceError):
    """The service no longer has that artifact."""


class NoRoom(Unreachable):
    """The service cannot keep what was sent, for now: a quota, or its disk, is full."""


class Fenced(ServiceError):
    """The attempt is no longer this worker's."""


class UnknownWorker(ServiceError):
    """The service does not know this worker (any more)."""


class Unauthorized(ServiceError):
    """The token is missing, wrong or revoked."""


class Refused(ServiceError):
    """The service said no for good; ``status`` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


Missing = type[Fenced] | type[UnknownWorker] | type[Gone]
"""What a 404 means, call by call."""


class ServiceClient:
    """The worker-facing half of the REST interface. Methods may be called from any thread.

    Nothing is retried here: who calls knows whether waiting makes sense.

    Args:
        server: The service's address, as ``http://host:port``.
        token: A worker's token. It is never logged and stands in no message. An attempt's
            own calls take the token that came with it: see :meth:`with_token`.
        num_connections: Most calls at a time.
        transport: For tests: a stand-in for the network.
    """

    def __init__(
        self,
        server: str,
        token: str,
        *,
        num_connections: int = 32,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.server = server.rstrip("/")
        self._authorization = f"Bearer {token}"
        self._http = httpx2.Client(
            base_url=self.server + PREFIX,
            timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=num_connections),
            trust_env=not _is_loopback(self.server),  # a proxy cannot reach this machine's own
            transport=transport,
        )

    def with_token(self, token: str) -> ServiceClient:
        """The same way to the service, the same connections, under another token."""
        other = copy.copy(self)
        other._authorization = f"Bearer {token}"
        return other

    def register(self, request: RegisterRequest) -> RegisterAnswer:
        """Introduce this worker; the answer holds its id."""
        return self._ask(RegisterAnswer, "/workers/register", request)

    def claim(self, worker: str, request: ClaimRequest) -> Claim | None:
        """Wait up to ``request.wait_seconds`` for an attempt; None when there was none."""
        timeout = httpx2.Timeout(READ_SECONDS + request.wait_seconds, connect=CONNECT_SECONDS)
        response = self._post(
            f"/workers/{worker}/claim",
            request,
            missing=UnknownWorker,
            timeout=timeout,
        )
        return None if response.status_code == 204 else _read(Claim, response)

    def worker_heartbeat(self, worker: str) -> None:
        """The worker is alive, busy or not."""
        self._send("POST", f"/workers/{worker}/heartbeat", missing=UnknownWorker, json={})

    def goodbye(self, worker: str) -> None:
        """The worker leaves. Attempts it still held are free to be tried elsewhere."""
        self._send("DELETE", f"/workers/{worker}", missing=UnknownWorker)

    def heartbeat(self, attempt: str, request: HeartbeatRequest) -> HeartbeatAnswer:
        """The attempt is alive; the answer may say to stop."""
        return self._ask(HeartbeatAnswer, f"/attempts/{attempt}/heartbeat", request)

    def points(self, attempt: str, request: PointsRequest) -> PointsAnswer:
        """Curve points and outcomes. Sending them twice has the effect of once."""
        return self._ask(PointsAnswer, f"/attempts/{attempt}/points", request)

    def finish(self, attempt: str, request: FinishRequest) -> None:
        """The attempt has ended. Sending it twice has the effect of once."""
        self._post(f"/attempts/{attempt}/finish", request)

    def store_artifact(
        self,
        attempt: str,
        *,
        kind: ArtifactKind,
        fence: int,
        trial: int,
        epoch: int,
        iteration: int,
        content: bytes,
    ) -> CheckpointAnswer:
        """Upload a member's checkpoint or snapshot. The service compares the digest sent along."""
        response = self._send(
            "POST",
            f"/attempts/{attempt}/artifacts",
            params={
                "kind": kind.value,
                "fence": fence,
                "trial": trial,
                "epoch": epoch,
                "iteration": iteration,
            },
            content=content,
            headers={
                "Content-Type": "application/octet-stream",
                "X-Content-SHA256": hashlib.sha256(content).hexdigest(),
            },
        )
        return _read(CheckpointAnswer, response)

    def fetch_artifact(self, attempt: str, artifact: str) -> bytes:
        """The bytes of an artifact the attempt may read. Raises Gone when there is none."""
        path = f"/attempts/{attempt}/artifacts/{artifact}"
        return self._send("GET", path, missing=Gone).content

    def close(self) -> None:
        """Give the connections back. Calls that are under way fail."""
        self._http.close()

    def _ask(self, answer: type[Answer], path: str, request: BaseModel) -> Answer:
        return _read(answer, self._post(path, request))

    def _post(self, path: str, request: BaseModel, **options: Any) -> httpx2.Response:
        body = request.model_dump_json().encode()
        return self._send(
            "POST", path, content=body, headers={"Content-Type": "application/json"}, **options
        )

    def _send(
        self,
        method: str,
        path: str,
        *,
        missing: Missing = Fenced,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> httpx2.Response:
        given = {**(headers or {}), "Authorization": self._authorization}
        try:
            response = self._http.request(method, path, headers=given, **options)
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
            raise Refused(f"{self.server} is not an HTTP address: {error}", 0) from error
        except httpx2.HTTPError as error:
            raise Unreachable(f"no answer from {self.server}: {_describe(error)}") from error
        if response.is_success:
            return response
        _refuse(response, path, missing)


def _refuse(response: httpx2.Response, path: str, missing: Missing) -> NoReturn:
    """Raise the error that an unsuccessful answer stands for."""
    code, sentence = _problem(response)
    status = response.status_code
    if status == 507:
        raise NoRoom(sentence, _retry_after_seconds(response))
    if status >= 500 or status in RETRIED_STATUSES:
        raise Unreachable(sentence, _retry_after_seconds(response))
    if status in (401, 403):
        raise Unauthorized(sentence)
    if status == 404 and path != "/workers/register":
        if code is None:  # a proxy's word while the service is away, say: no reason to give up
            raise Unreachable(f"{sentence}, from something that is not the service")
        raise missing(sentence)
    if status == 409:
        raise Fenced(sentence)
    raise Refused(sentence, status)


def _problem(response: httpx2.Response) -> tuple[str | None, str]:
    """Code and sentence of a problem document (RFC 9457); the code is None when it is none."""
    sentence = f"HTTP {response.status_code}"
    try:
        body = response.json()
    except ValueError:
        return None, sentence
    if not isinstance(body, dict) or "code" not in body:
        return None, sentence
    words = [str(body[key]) for key in ("title", "detail") if body.get(key)]
    return str(body["code"]), f"{sentence} {body['code']}: " + ": ".join(words)


def _retry_after_seconds(response: httpx2.Response) -> float | None:
    """The header's seconds; None when it is missing or a date."""
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None


def _read(answer: type[Answer], response: httpx2.Response) -> Answer:
    try:
        return answer.model_validate_json(response.content)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "the whole"
        raise Refused(
            f"{response.request.url.path} answered something else than a {answer.__name__}"
            f" ({where}: {error.errors()[0]['msg']}); is it a Sevenstep service of this version?",
            response.status_code,
        ) from error


def _describe(error: httpx2.HTTPError) -> str:
    return str(error) or type(error).__name__


def _is_loopback(server: str) -> bool:
    try:
        host = httpx2.URL(server).host
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except (ValueError, httpx2.InvalidURL):
        return False
