"""Use cases on workers: they come, are heard of, and go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from recipes.wire import RegisterAnswer, RegisterRequest, WorkerState
from service.clock import database_now
from service.database.models import Worker
from service.errors import InvalidInput
from service.repositories import attempt_history
from service.repositories import attempts as attempt_repository
from service.repositories import workers as repository
from service.repositories.attempt_history import WorkerAttempt
from service.settings import Settings
from service.streams import cursors, events
from service.uids import new_uid
from service.use_cases import attempts
from service.views.models import WorkerPage, WorkerView

MAX_VERSION = 64
LATE_AFTER_PERIODS = 2
"""Heartbeats that fail to come before a worker is called late."""
SHOWN_FOR = timedelta(days=1)
"""How long a worker that is lost or gone stays in the list."""


def register(session: Session, request: RegisterRequest, *, settings: Settings) -> RegisterAnswer:
    """Take in a worker. It gets a uid that was never used; a name may be used twice.

    Raises:
        InvalidInput: Its version is too long to be one.
    """
    if len(request.version) > MAX_VERSION:
        raise InvalidInput(
            "version", request.version[:MAX_VERSION], f"give at most {MAX_VERSION} characters"
        )
    now = database_now(session)
    worker = Worker(
        uid=new_uid(),
        name=request.name.replace("\x00", " "),
        slots=request.slots,
        devices=json.dumps(request.devices),
        version=request.version.replace("\x00", " "),
        registered_at=now,
        seen_at=now,
    )
    session.add(worker)
    session.flush()
    return RegisterAnswer(
        worker=worker.uid,
        heartbeat_seconds=settings.heartbeat_seconds,
        lease_seconds=settings.lease_seconds,
        max_offline_seconds=settings.max_offline_seconds,
    )


def heartbeat(session: Session, worker_uid: str) -> None:
    """Note that a worker is alive. Raises NotFound: it registers again."""
    repository.seen(session, worker_uid, database_now(session))


def goodbye(session: Session, worker_uid: str, *, settings: Settings) -> None:
    """A worker leaves; what it still holds is lost, and goes to others at once.

    Raises:
        NotFound: There is no such worker (any more).
    """
    _leave(session, repository.require(session, worker_uid), settings, has_died=False)
    # Its slots still wait for work: told at once, they need not be waited for.
    events.publish_on_commit(session, events.JOBS)


def goodbye_named(session: Session, name: str, *, settings: Settings) -> int:
    """Whoever started the workers of this name knows that they are dead; how many.

    Spares the local engine a lease's wait when its agent was killed. A worker that lives
    after all is fenced, and registers again. They are lost, not gone: they said no goodbye.
    """
    dead = repository.named(session, name)
    for worker in dead:
        _leave(session, worker, settings, has_died=True)
    return len(dead)


def list_workers(session: Session, *, settings: Settings) -> list[WorkerView]:
    """Workers that are here, and those that left or fell silent within a day."""
    found = repository.recent(session, database_now(session) - SHOWN_FOR)
    return _views(session, found, settings)


def worker_page(
    session: Session, *, limit: int, cursor: str | None = None, settings: Settings
) -> WorkerPage:
    """A page of the same, newest first.

    Raises:
        InvalidInput: ``limit`` or ``cursor`` does not fit.
    """
    cursors.check_limit(limit)
    before = cursors.decode("workers", cursor)
    since = database_now(session) - SHOWN_FOR
    found = repository.recent(session, since, limit=limit + 1, before=before)
    shown = found[:limit]
    return WorkerPage(
        items=tuple(_views(session, shown, settings)),
        next_cursor=cursors.encode("workers", shown[-1].id) if len(found) > limit else None,
    )


def get_worker(session: Session, uid: str, *, settings: Settings) -> WorkerView:
    """One worker, however long ago it left. Raises NotFound."""
    return _views(session, [repository.find(session, uid)], settings)[0]


def queue(session: Session) -> int:
    """How many attempts of active studies wait for a worker."""
    return attempt_history.num_queued(session)


def attempts_of(session: Session, uid: str, *, limit: int) -> list[WorkerAttempt]:
    """What a worker did, newest first, at most ``limit``. Raises NotFound."""
    return attempt_history.of_worker(session, repository.find(session, uid).id, limit)


def _views(session: Session, workers: Sequence[Worker], settings: Settings) -> list[WorkerView]:
    now = database_now(session)
    busy = attempt_repository.busy_slots(session)
    return [
        WorkerView(
            id=worker.uid,
            name=worker.name,
            state=state_of(
                seen_at=worker.seen_at,
                is_gone=worker.gone_at is not None,
                has_died=worker.has_died,
                num_busy=busy.get(worker.id, 0),
                now=now,
                settings=settings,
            ),
            slots=worker.slots,
            busy_slots=busy.get(worker.id, 0),
            devices=tuple(json.loads(worker.devices)),
            version=worker.version,
            registered_at=worker.registered_at,
            seen_at=worker.seen_at,
        )
        for worker in workers
    ]


def state_of(
    *,
    seen_at: datetime,
    is_gone: bool,
    has_died: bool,
    num_busy: int,
    now: datetime,
    settings: Settings,
) -> WorkerState:
    """What a worker is doing, from the age of its heartbeat and what it holds."""
    if is_gone:
        return WorkerState.LOST if has_died else WorkerState.GONE
    silent_seconds = (now - seen_at).total_seconds()
    if silent_seconds > settings.lease_seconds:
        return WorkerState.LOST
    if silent_seconds > LATE_AFTER_PERIODS * settings.heartbeat_seconds:
        return WorkerState.LATE
    return WorkerState.BUSY if num_busy else WorkerState.IDLE


def _leave(session: Session, worker: Worker, settings: Settings, *, has_died: bool) -> None:
    for held in attempt_repository.held_by(session, worker.id):
        attempts.lose(
            session, held.uid, cause="worker_gone", settings=settings, expired_only=False
        )
    repository.leave(session, worker.id, database_now(session), has_died=has_died)
