"""What Prometheus scrapes."""

from __future__ import annotations

from fastapi import APIRouter, Response

from service.api.dependencies import ContextOf
from service.metrics import CONTENT_TYPE
from service.web.problems import documented

routes = APIRouter(tags=["health"])


@routes.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus's text format",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **documented(401, 403, 503),
    },
)
def metrics(context: ContextOf) -> Response:
    """Counters of this process and gauges of the database, for Prometheus; needs a token."""
    return Response(context.metrics.text(), headers={"Content-Type": CONTENT_TYPE})
