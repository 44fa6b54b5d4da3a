"""Workers: who is there, and what an agent says about itself."""

from __future__ import annotations

import asyncio

import anyio.to_thread
from fastapi import Request, Response

from recipes.wire import Claim, ClaimRequest, RegisterAnswer, RegisterRequest
from service.api.dependencies import (
    ContextOf,
    Cursor,
    Identifier,
    Limit,
    ReadSession,
    StillGood,
    WriteSession,
)
from service.api.routing import router
from service.streams.events import JOBS
from service.use_cases import attempts, workers
from service.views.models import WorkerPage, WorkerView
from service.web.context import Context
from service.web.problems import documented
from service.web.security import unknown_token

routes = router("workers")
registration = router("workers", keeps=True)


@routes.get("/workers")
def list_workers(
    session: ReadSession, context: ContextOf, limit: Limit = 100, cursor: Cursor = None
) -> WorkerPage:
    """Workers that are here, and those that left or fell silent within a day, newest first."""
    return workers.worker_page(session, limit=limit, cursor=cursor, settings=context.settings)


@routes.get("/workers/{worker}", responses=documented(404))
def get_worker(worker: Identifier, session: ReadSession, context: ContextOf) -> WorkerView:
    """One worker, with its state in words; one that left long ago, too."""
    return workers.get_worker(session, worker, settings=context.settings)


@registration.post("/workers/register")
def register_worker(
    request: RegisterRequest, session: WriteSession, context: ContextOf
) -> RegisterAnswer:
    """Introduce a worker. The answer has its id and the periods to keep."""
    return workers.register(session, request, settings=context.settings)


@routes.post(
    "/workers/{worker}/claim",
    response_model=Claim,
    responses={204: {"description": "Nothing to do for now: ask again"}, **documented(404)},
)
async def claim_attempt(
    worker: Identifier,
    request: ClaimRequest,
    http: Request,
    context: ContextOf,
    is_still_good: StillGood,
) -> Claim | Response:
    """Ask for work for a free slot, and wait up to `wait_seconds` for it.

    While it waits it holds no thread and no database session.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + request.wait_seconds
    while True:
        seen = context.seen(JOBS)
        if not await is_still_good():
            return unknown_token()
        # One that hung up while it waited must not take what its slot may have got since.
        if await http.is_disconnected():
            return Response(status_code=204)
        async with context.writers:
            claim = await anyio.to_thread.run_sync(_claim, context, worker, request)
        if claim is not None:
            context.metrics.claims.inc()
            return claim
        left = deadline - loop.time()
        if left <= 0 or context.closing.is_set():
            return Response(status_code=204)
        await context.wait(seen, min(left, context.look_seconds))


@routes.post("/workers/{worker}/heartbeat", status_code=204, responses=documented(404))
def worker_heartbeat(worker: Identifier, session: WriteSession) -> None:
    """The worker is alive, even with nothing to do."""
    workers.heartbeat(session, worker)


@routes.delete("/workers/{worker}", status_code=204, responses=documented(404))
def say_goodbye(worker: Identifier, session: WriteSession, context: ContextOf) -> None:
    """The worker leaves. Attempts it did not finish go to others."""
    workers.goodbye(session, worker, settings=context.settings)


routes.include_router(registration)


def _claim(context: Context, worker: str, request: ClaimRequest) -> Claim | None:
    with context.database.write() as session:
        return attempts.claim(session, worker, request, settings=context.settings)
