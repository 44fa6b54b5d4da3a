"""The router every resource uses: documented errors, a token, and strict JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import APIRouter, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from service.web.problems import InvalidJson, documented

_bearer = HTTPBearer(auto_error=False, description="A token that starts with `svs_`")


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
            self._json = parse_json(await self.body())
        return self._json


class StrictRoute(APIRoute):
    """A route whose JSON bodies are read strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, given a strict request."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


def parse_json(body: bytes) -> Any:
    """A JSON text's value. Raises InvalidJson."""

    def refuse(token: str) -> NoReturn:
        raise _BareNonFinite(token)

    try:
        return json.loads(body, parse_constant=refuse)
    except _BareNonFinite as error:
        detail = (
            f'the body holds {error} as a bare token, which is not JSON; send the string "{error}"'
        )
    except RecursionError:
        detail = "the body is nested too deeply"
    except UnicodeDecodeError:
        detail = "the body is not UTF-8"
    except json.JSONDecodeError as error:
        detail = f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except ValueError:
        detail = "the body holds a number with too many digits"
    raise InvalidJson(detail)


def router(tag: str) -> APIRouter:
    """A router for one resource."""
    return APIRouter(
        tags=[tag],
        route_class=StrictRoute,
        responses=documented(401, 403, 422),
        dependencies=[Security(_bearer)],
    )
