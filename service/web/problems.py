"""Errors as RFC 9457 problem documents, the same shape for every error of the service."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import IntegrityError, OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from service.database.faults import is_disk_full
from service.errors import InvalidInput, NoRoom, ServiceError
from service.pages.rendering import render
from service.web.methods import allowed
from service.web.wording import field_of, message_of

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One field that does not fit. The value sent is never repeated: it may be a secret."""

    field: str
    message: str
    type: str | None = None
    cure: str | None = None


class Problem(BaseModel):
    """An error, as every endpoint answers it (RFC 9457). Programs read ``code``."""

    type: str = Field(description="`urn:sevenstep:problem:` and the code")
    title: str
    status: int
    detail: str = Field(description="One sentence for a person, with the cure where there is one")
    code: str
    errors: list[FieldProblem] = Field(default_factory=list)


class ProblemResponse(Response):
    """A problem document as a response."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem, *, headers: dict[str, str] | None = None) -> None:
        body = problem.model_dump_json(exclude_none=True)
        super().__init__(body, status_code=problem.status, headers=headers)
        self.problem = problem


class InvalidJson(HTTPException):
    """A body that is not JSON. An HTTPException, as others turn into a bare 400 on the way."""

    def __init__(self, detail: str) -> None:
        super().__init__(422, detail)


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    title: str | None = None,
    errors: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
) -> ProblemResponse:
    """A problem as a response. ``title`` defaults to the status's own phrase."""
    problem = Problem(
        type=f"urn:sevenstep:problem:{code}",
        title=title or HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        errors=errors or [],
    )
    return ProblemResponse(problem, headers=headers)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of an endpoint that can answer these errors."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def wants_page(scope: Scope) -> bool:
    """Whether a person's browser asks for a page, rather than a program for data."""
    if scope["path"].startswith(("/api/", "/assets/")) or scope["method"] not in ("GET", "HEAD"):
        return False
    accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
    return "text/html" in accept


def service_problem(error: ServiceError) -> ProblemResponse:
    """The problem document of one of our own errors."""
    errors = None
    if isinstance(error, InvalidInput):
        errors = [FieldProblem(field=error.field, message=error.detail, cure=error.cure)]
    return problem_response(
        error.status, error.code, error.detail, title=error.title, errors=errors
    )


def validation_problem(error: RequestValidationError) -> ProblemResponse:
    """What did not fit, field by field, without echoing the input.

    The framework's own answer repeats the input: a secret would come back, and a bare NaN
    there turns the 422 into a 500.
    """
    fields = [
        FieldProblem(
            field=field_of(found),
            message=message_of(found),
            type=found["type"],
        )
        for found in error.errors()
    ]
    first = f"{fields[0].field}: {fields[0].message}" if fields else "the request does not fit"
    more = f" (and {len(fields) - 1} more)" if len(fields) > 1 else ""
    return problem_response(
        422, "invalid_request", first + more, title="The request does not fit", errors=fields
    )


def database_problem(scope: Scope, error: OperationalError) -> ProblemResponse:
    """What a request is answered that the database failed, which is logged."""
    log.error("%s %s: %s", scope["method"], quote(scope["path"]), error.orig)
    if is_disk_full(error):
        return service_problem(
            NoRoom("the database's disk takes no more; make room there, then try again")
        )
    return problem_response(
        503,
        "database_unavailable",
        "the database does not answer; try again",
        headers={"Retry-After": "1"},
    )


def shown(request: Request, answer: ProblemResponse) -> Response:
    """The answer as a page where a person's browser asked, the document elsewhere."""
    if not wants_page(request.scope):
        return answer
    problem = answer.problem
    return render(
        request,
        "problem.html",
        status=problem.status,
        title=problem.title,
        detail=problem.detail,
    )


def install(app: FastAPI, *, methods: Callable[[Scope], Iterable[str]]) -> None:
    """Have every error of the application answered as a problem document.

    Args:
        app: The application.
        methods: The methods that routes have for a path.
    """

    @app.exception_handler(ServiceError)
    def on_service_error(request: Request, error: ServiceError) -> Response:
        return shown(request, service_problem(error))

    @app.exception_handler(RequestValidationError)
    def on_validation_error(request: Request, error: RequestValidationError) -> Response:
        return shown(request, validation_problem(error))

    @app.exception_handler(InvalidJson)
    def on_invalid_json(request: Request, error: InvalidJson) -> Response:
        fields = [FieldProblem(field="body", message=error.detail)]
        return problem_response(
            422, "invalid_json", error.detail, title="The body is not JSON", errors=fields
        )

    @app.exception_handler(ClientDisconnect)
    def on_hang_up(request: Request, error: ClientDisconnect) -> Response:
        # Nobody reads this; without it a traceback would say that the service failed.
        return problem_response(400, "hung_up", "the request's body ended before its end")

    @app.exception_handler(OperationalError)
    def on_database_error(request: Request, error: OperationalError) -> Response:
        return database_problem(request.scope, error)

    @app.exception_handler(IntegrityError)
    def on_integrity_error(request: Request, error: IntegrityError) -> Response:
        log.warning("%s %s: %s", request.method, request.url.path, error.orig)
        return problem_response(409, "conflict", "the request does not fit what is stored")

    @app.exception_handler(HTTPException)
    def on_http_error(request: Request, error: HTTPException) -> Response:
        code = HTTPStatus(error.status_code).name.lower()
        detail = str(error.detail)
        headers = dict(error.headers) if error.headers else {}
        path = request.url.path
        if error.status_code == 404:
            detail = f"there is nothing at {path}"
            bare = {**request.scope, "path": request.scope["path"].rstrip("/")}
            if path.endswith("/") and "GET" in methods(bare):
                if wants_page(request.scope):
                    return RedirectResponse(path.rstrip("/"), status_code=308)
                detail += f"; addresses end without a slash: {path.rstrip('/')}"
        elif error.status_code == 405:
            headers["Allow"] = allowed(methods(request.scope))
            detail = f"{request.method} is not possible at {path}; these are: {headers['Allow']}"
        return shown(request, problem_response(error.status_code, code, detail, headers=headers))

    @app.exception_handler(Exception)
    def on_fault(request: Request, error: Exception) -> Response:
        # The server logs the traceback: Starlette raises the error again after this answer.
        return shown(
            request,
            problem_response(500, "fault", "the service failed on this request; its log says why"),
        )
