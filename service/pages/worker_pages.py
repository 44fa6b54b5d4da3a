"""The pages of workers: who trains and who was lost, and what one of them did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from recipes.wire import AttemptState, WorkerState
from service.api.dependencies import ContextOf, Identifier, ReadSession
from service.clock import utc_now
from service.pages.rendering import render
from service.pages.sentences import crew
from service.repositories.attempt_history import WorkerAttempt
from service.use_cases import workers

routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

ATTEMPTS_SHOWN = 25
ORDER = tuple(WorkerState(name) for name in ("lost", "late", "draining", "busy", "idle", "gone"))
"""Those that a person may have to look after come first (web.md 4.7)."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """One attempt of a worker. No trials: it described the task."""

    study: str
    study_name: str
    trials: tuple[int, ...]
    state: AttemptState
    cause: str | None
    error: str | None
    started_at: datetime | None
    ended_at: datetime | None


@routes.get("/workers")
def workers_page(request: Request, session: ReadSession, context: ContextOf) -> Response:
    """Who trains, and who was lost."""
    found = workers.list_workers(session, settings=context.settings)
    return render(
        request,
        "workers.html",
        section="workers",
        workers=sorted(found, key=lambda worker: ORDER.index(worker.state)),
        crew=crew(found),
        queue=_queue(workers.queue(session)),
        at=utc_now(),
    )


@routes.get("/workers/{worker_id}")
def worker_page(
    request: Request, worker_id: Identifier, session: ReadSession, context: ContextOf
) -> Response:
    """A worker: what it does, and what it did last."""
    found = workers.attempts_of(session, worker_id, limit=ATTEMPTS_SHOWN + 1)
    return render(
        request,
        "worker.html",
        section="workers",
        worker=workers.get_worker(session, worker_id, settings=context.settings),
        jobs=[_row(each) for each in found[:ATTEMPTS_SHOWN]],
        has_more=len(found) > ATTEMPTS_SHOWN,
        at=utc_now(),
    )


def _queue(waiting: int) -> str:
    return f"{waiting:,} {'piece' if waiting == 1 else 'pieces'} of work in the queue." * bool(
        waiting
    )


def _row(found: WorkerAttempt) -> JobRow:
    attempt = found.attempt
    return JobRow(
        study=found.study,
        study_name=found.study_name,
        trials=found.trials,
        state=attempt.state,
        cause=attempt.cause,
        error=attempt.error,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
    )
