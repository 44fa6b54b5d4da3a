"""Requests and their answers: HTTP, tries, and answers read as the models they are."""

from __future__ import annotations

import ipaddress
import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import TypeAdapter, ValidationError

from service.client.errors import (
    ClientError,
    NotFound,
    NotUnderstood,
    Refused,
    Unreachable,
    refusal,
)
from service.client.patience import Patience
from service.version import VERSION

TIMEOUT_SECONDS = 30.0
CONNECT_SECONDS = 5.0
PASSING_STATUSES = frozenset({408, 425, 429, 502, 503, 504})
"""Answers that ask to come back; 500 is not among them: it would come again."""
PASSING_CODES = frozenset({"idempotency_key_in_use"})
"""The first try is still being worked on: its answer is to come."""

API = "/api/v1"
PAGE = 200
"""Items asked for at a time: the most the service gives."""
Answer = TypeVar("Answer")
Item = TypeVar("Item", covariant=True)


class Page(Protocol[Item]):
    """One page of a list."""

    @property
    def items(self) -> tuple[Item, ...]:
        """What is on it."""
        ...

    @property
    def next_cursor(self) -> str | None:
        """What asks for the next page; None: there is none."""
        ...


def study_path(uid: str, rest: str = "") -> str:
    """The address of a study, or of something of it, whatever the id holds."""
    return f"{API}/studies/{quote(uid, safe='')}" + (f"/{quote(rest)}" if rest else "")


class Transport:
    """One service's address, a token and a pool of connections. For any number of threads.

    A request that met no service, or one that asks to come back, is made again: reading and
    deleting can be repeated, and every POST carries an ``Idempotency-Key``, under which the
    service does once what it is asked twice.

    Args:
        address: As ``http://host:port``.
        token: The bearer's.
        patience_seconds: For how long a request is tried again.
    """

    def __init__(self, address: str, token: str, *, patience_seconds: float) -> None:
        self.address = address.rstrip("/")
        self.patience_seconds = patience_seconds
        self.http = httpx2.Client(
            base_url=self.address,
            headers={**_authorization(token), "User-Agent": f"sevenstep/{VERSION}"},
            timeout=httpx2.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS),
            trust_env=not _is_loopback(_checked(self.address)),  # no proxy reaches our own machine
        )

    def look_before(self, look: Callable[[], None]) -> None:
        """Call ``look`` before every request, tries again included; what it raises ends it."""
        self.http.event_hooks = {"request": [lambda request: look()]}

    def get(
        self, path: str, answer: type[Answer], params: Mapping[str, str | int] | None = None
    ) -> Answer:
        """What the service answers, as a model or a container of models."""
        return self._read(answer, self.send("GET", path, params=params))

    def every(
        self,
        path: str,
        page: type[Page[Item]],
        params: Mapping[str, str | int] | None = None,
        *,
        limit: int | None = None,
    ) -> Iterator[Item]:
        """The items of a list, asked for page by page; at most ``limit`` of them."""
        query, left = dict(params or {}), math.inf if limit is None else limit
        while left > 0:
            found = self.get(path, page, {**query, "limit": int(min(PAGE, left))})
            yield from found.items
            left -= len(found.items)
            if found.next_cursor is None:
                return
            query["cursor"] = found.next_cursor

    def post(
        self,
        path: str,
        answer: type[Answer],
        *,
        body: str | None = None,
        params: Mapping[str, str | int] | None = None,
        key: str | None = None,
        if_version: int | None = None,
    ) -> Answer:
        """The answer to a change.

        Args:
            path: Of the resource.
            answer: A model or a container of models.
            body: JSON.
            params: Of the query.
            key: The Idempotency-Key; None: one is made.
            if_version: Nothing is done unless the study's version is this one.
        """
        headers = {"Idempotency-Key": key or uuid.uuid4().hex, **_if_match(if_version)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self._read(
            answer, self.send("POST", path, content=body, params=params, headers=headers)
        )

    def delete(
        self, path: str, *, params: Mapping[str, str | int], if_version: int | None = None
    ) -> None:
        """Delete a thing. A try that finds nothing after one whose answer was lost is a success.

        Raises:
            NotFound: There was no such thing at the first try.
        """
        patience, num_tries = Patience(self.patience_seconds), 0
        while True:
            num_tries += 1
            try:
                self._send_once("DELETE", path, params=params, headers=_if_match(if_version))
            except ClientError as error:
                if isinstance(error, NotFound) and num_tries > 1:
                    return
                if not _passes(error):
                    raise
                patience.wait(error)
            else:
                return

    def send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """A successful answer.

        Raises:
            Unreachable: Nobody answered as long as patience lasted.
            Refused: The service said no, or asked to come back for too long.
        """
        patience = Patience(self.patience_seconds)
        while True:
            try:
                return self._send_once(method, path, **options)
            except ClientError as error:
                if not _passes(error):
                    raise
                patience.wait(error)

    def unreachable(self, error: httpx2.TransportError) -> Unreachable:
        """That nobody answers, for people."""
        reason = str(error) or type(error).__name__
        return Unreachable(f"no service answers at {self.address} ({reason})")

    def _send_once(self, method: str, path: str, **options: Any) -> httpx2.Response:
        try:
            response = self.http.request(method, path, **options)
        except httpx2.TransportError as error:
            raise self.unreachable(error) from error
        if not response.is_success:
            raise refusal(response)
        return response

    def _read(self, answer: type[Answer], response: httpx2.Response) -> Answer:
        # A newer service may say more than this release knows: that is left unread.
        try:
            return TypeAdapter(answer).validate_json(response.content, extra="ignore")
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, found["loc"])) or "the whole"
            raise NotUnderstood(
                f"{self.address} answered something else than was asked for"
                f" ({where}: {found['msg']}); is it a Sevenstep service of release {VERSION}?"
            ) from error


def _if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}


def _passes(error: ClientError) -> bool:
    if isinstance(error, Refused):
        return error.status in PASSING_STATUSES or error.code in PASSING_CODES
    return isinstance(error, Unreachable)


def _checked(address: str) -> httpx2.URL:
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"address: {address!r} does not fit; give http://host:port")
    return url


def _authorization(token: str) -> dict[str, str]:
    if not (token.isascii() and token.isprintable()):
        raise ValueError("token: it does not fit; give it as it was printed, without a line break")
    return {"Authorization": f"Bearer {token}"}


def _is_loopback(url: httpx2.URL) -> bool:
    try:
        return url.host == "localhost" or ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return False
