"""Attempts: what an agent reports of the run it was given. Every write carries the fence."""

from __future__ import annotations

from functools import partial

from recipes.wire import (
    FinishRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    PointsAnswer,
    PointsRequest,
)
from service.api.dependencies import ContextOf, Identifier, WriteSession
from service.api.routing import router
from service.database.engine import after_commit
from service.use_cases import attempts
from service.web.problems import documented

routes = router("attempts")


@routes.post("/attempts/{attempt}/heartbeat", responses=documented(404, 409))
def attempt_heartbeat(
    attempt: Identifier, request: HeartbeatRequest, session: WriteSession, context: ContextOf
) -> HeartbeatAnswer:
    """The attempt is alive: its lease begins anew. The answer may say stop, or drop members."""
    return attempts.heartbeat(session, attempt, request, settings=context.settings)


@routes.post("/attempts/{attempt}/points", responses=documented(404, 409, 413))
async def add_points(
    attempt: Identifier, request: PointsRequest, context: ContextOf
) -> PointsAnswer:
    """Store curve points and outcomes. Sending them twice has the effect of once."""
    return await context.points.add(attempt, request)


@routes.post("/attempts/{attempt}/finish", status_code=204, responses=documented(404, 409, 413))
def finish_attempt(
    attempt: Identifier, request: FinishRequest, session: WriteSession, context: ContextOf
) -> None:
    """The attempt has ended. Sending it again changes nothing."""
    accepted = attempts.finish(session, attempt, request, settings=context.settings)
    after_commit(session, partial(context.metrics.points.inc, accepted))
    after_commit(session, context.metrics.finished.labels(request.state.value).inc)
