"""The router every resource uses: a token, strict JSON, entity tags, requests done once."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import anyio.to_thread
from fastapi import APIRouter, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from service.api.conditional import conditioned
from service.errors import UnsupportedMedia
from service.web.idempotency import once
from service.web.problems import InvalidJson

_bearer = HTTPBearer(auto_error=False, description="A token that starts with `svs_`")

MAX_DEPTH = 64
"""Arrays and objects in one another. Nothing that is asked for here needs more than 8."""

MAX_INLINE_BYTES = 65_536
"""Longer bodies are read in a thread: megabytes of brackets take a good part of a second, in
which the event loop would answer nobody."""


class _BareNonFinite(ValueError):
    """The body holds NaN or Infinity as a bare token."""


class StrictRequest(Request):
    """Reads its JSON strictly: Python's parser takes ``NaN``, JSON has no such thing."""

    async def json(self) -> Any:
        """The body's value, parsed once.

        Raises:
            InvalidJson: The body is not JSON; the detail says what is wrong, and the cure.
        """
        if not hasattr(self, "_json"):
            body = await self.body()
            self._json = (
                parse_json(body)
                if len(body) <= MAX_INLINE_BYTES
                else await anyio.to_thread.run_sync(parse_json, body)
            )
        return self._json


class StrictRoute(APIRoute):
    """A route whose JSON bodies are read strictly, and whose answers have an entity tag."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, given a strict request."""
        handle = super().get_route_handler()
        takes_json = self.body_field is not None

        async def strict(request: Request) -> Response:
            own = StrictRequest(request.scope, request.receive)
            _check_kind(own, takes_json=takes_json)
            return conditioned(own, await self.answer(own, handle))

        return strict

    async def answer(
        self, request: Request, handle: Callable[[Request], Coroutine[Any, Any, Response]]
    ) -> Response:
        """The answer to a request that may be handled."""
        return await handle(request)


class KeptRoute(StrictRoute):
    """One whose POSTs may carry an ``Idempotency-Key``. Its endpoint asks for a write session."""

    async def answer(
        self, request: Request, handle: Callable[[Request], Coroutine[Any, Any, Response]]
    ) -> Response:
        """The same; to a request that comes again, what it was answered then."""
        return await (once(request, handle) if request.method == "POST" else handle(request))


def _check_kind(request: Request, *, takes_json: bool) -> None:
    """Refuse a body that would not be read as what it is.

    Raises:
        UnsupportedMedia: It is compressed, or no JSON where JSON is asked for.
    """
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedMedia(
            "the body's Content-Encoding is not undone here; send it as it is, without one"
        )
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )
    if takes_json and not is_json:
        raise UnsupportedMedia(
            "the body is read as JSON alone; send Content-Type: application/json"
        )


def parse_json(body: bytes) -> Any:
    """A JSON text's value. Raises InvalidJson."""

    def refuse(token: str) -> NoReturn:
        raise _BareNonFinite(token)

    try:
        value = json.loads(body, parse_constant=refuse)
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH:  # else it cannot be that deep
            _check_depth(value)
        return value
    except _BareNonFinite as error:
        detail = (
            f'the body holds {error} as a bare token, which is not JSON; send the string "{error}"'
        )
    except RecursionError:
        detail = f"the body is nested too deeply; {MAX_DEPTH} levels are the most"
    except UnicodeDecodeError:
        detail = "the body is not UTF-8"
    except json.JSONDecodeError as error:
        detail = f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except ValueError:
        detail = "the body holds a number with too many digits"
    raise InvalidJson(detail)


def _check_depth(value: Any) -> None:
    """Raises RecursionError when a JSON value is nested more deeply than may be."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
            if inner.__class__ in (dict, list)
        ]
        if not level:
            return
    raise RecursionError


def router(tag: str, *, keeps: bool = False) -> APIRouter:
    """A router for one resource.

    Args:
        tag: The resource's name in the OpenAPI document.
        keeps: Whether its POSTs heed ``Idempotency-Key``.
    """
    return APIRouter(
        tags=[tag],
        route_class=KeptRoute if keeps else StrictRoute,
        dependencies=[Security(_bearer)],
    )
