"""The OpenAPI document: what the framework derives from the routes, and what holds for all.

Tokens, rate limits, entity tags and keys are the same everywhere, so they are written into
every operation here and not route by route.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from service.api.routing import KeptRoute
from service.server.examples import add_examples
from service.web.idempotency import HEADER, KEY, REPLAYED
from service.web.problems import Problem, documented

EVENT_STREAM = "text/event-stream"
TAGGED = ("application/json", "image/svg+xml", "text/markdown")
"""Media types whose answers carry an entity tag: they are made whole before they are sent."""
Operation = dict[str, Any]
OF_A_STUDY = (
    *("get_study", "delete_study", "pause_study", "resume_study", "cancel_study"),
    *("list_steps", "list_trials", "list_findings", "export_trials"),
    *("get_report", "get_report_markdown", "stream_events"),
)
OF_A_WORKER = ("get_worker", "claim_attempt", "worker_heartbeat", "say_goodbye")
OF_AN_ATTEMPT = ("attempt_heartbeat", "add_points", "finish_attempt", "add_artifact")
LINKS = {
    "create_study": dict.fromkeys(OF_A_STUDY, ("study", "$response.body#/id")),
    "register_worker": dict.fromkeys(OF_A_WORKER, ("worker", "$response.body#/worker")),
    "claim_attempt": dict.fromkeys(OF_AN_ATTEMPT, ("attempt", "$response.body#/attempt")),
    "create_token": {"revoke_token": ("token", "$response.body#/id")},
}
"""What can be done with what an operation made: parameter and where its value stands."""


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The application's OpenAPI document, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
        )
        _add_problem(schema)
        kept = {
            context.name
            for context in iter_route_contexts(app.routes)
            if isinstance(context.original_route, KeptRoute)
        }
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                _complete(operation, path, method, keeps=operation["operationId"] in kept)
                add_examples(operation)
        app.openapi_schema = schema
    return app.openapi_schema


def _add_problem(schema: dict[str, Any]) -> None:
    """The problem document that every error refers to."""
    schemas = schema["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem


def _complete(operation: Operation, path: str, method: str, *, keeps: bool) -> None:
    """Add what holds for every operation of its kind."""
    responses, parameters = operation["responses"], operation.setdefault("parameters", [])
    is_closed = "security" in operation
    errors = {403, 500, 503}  # of every route: another name in Host, a fault, the database away
    if is_closed:
        errors |= {401, 429}
    if parameters or "requestBody" in operation:
        errors.add(422)
    if "requestBody" in operation:
        errors |= {413, 415}
    if any(parameter["name"] == "if-match" for parameter in parameters):
        errors.add(412)
    if keeps and method == "post":
        errors |= {409, 413, 415, 422}
        parameters.append(_key_parameter())
        _success(responses).setdefault("headers", {})[REPLAYED] = _header(
            "`true`: this is what the first request with the key was answered"
        )
    if (
        method == "get"
        and is_closed
        and set(TAGGED) & _success(responses).get("content", {}).keys()
    ):
        responses["304"] = {"description": "The reader has it already, by `If-None-Match`"}
        parameters.append(_tag_parameter())
        errors.add(422)
        _success(responses).setdefault("headers", {})["ETag"] = _header("Names this content")
    for status, answer in documented(*errors).items():
        responses[str(status)] = {**answer, **responses.get(str(status), {})}
        # The framework describes a 422 of its own, which is never sent.
        responses[str(status)]["content"] = answer["content"]
    if "429" in responses:
        responses["429"]["headers"] = {
            "Retry-After": _header("Seconds to wait", kind="integer", required=True)
        }
    if links := LINKS.get(operation["operationId"]):
        _success(responses)["links"] = {
            name: {"operationId": name, "parameters": {parameter: expression}}
            for name, (parameter, expression) in links.items()
        }
    operation["responses"] = dict(sorted(responses.items()))
    if not parameters:
        del operation["parameters"]


def _success(responses: dict[str, Any]) -> dict[str, Any]:
    """The answer when all goes well."""
    found: dict[str, Any] = next(
        answer for status, answer in responses.items() if status.startswith("2")
    )
    return found


def _key_parameter() -> dict[str, Any]:
    return {
        "name": HEADER,
        "in": "header",
        "required": False,
        "description": "A name of your own for this request: sent again under it, it is done once",
        "schema": {"type": "string", "pattern": f"^{KEY.pattern}$"},
    }


def _tag_parameter() -> dict[str, Any]:
    return {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "The `ETag` of what you have: 304 while that is all there is",
        "schema": {"type": "string"},
    }


def _header(description: str, *, kind: str = "string", required: bool = False) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": {"type": kind}}
