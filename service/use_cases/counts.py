"""How much there is of everything, at one moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from recipes.study import StudyState
from recipes.trial import TrialState
from recipes.wire import WorkerState
from service.clock import database_now
from service.repositories import counts as repository
from service.repositories.counts import COUNTED_ATTEMPTS
from service.settings import Settings
from service.use_cases import workers

PRESENT = (WorkerState.BUSY, WorkerState.IDLE, WorkerState.DRAINING, WorkerState.LATE)
"""States of workers that are here."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers by state (every state is there, with 0 where there is none), ages in seconds."""

    studies: dict[str, int]
    trials: dict[str, int]
    attempts: dict[str, int]
    workers: dict[str, int]
    slots: int
    queue_age_seconds: float
    conductor_lag_seconds: float
    artifact_bytes: int


def read(session: Session, settings: Settings) -> Counts:
    """Count everything at one moment.

    Args:
        session: A read session.
        settings: After how long a silent worker counts as late or lost.
    """
    now = database_now(session)
    here = workers.list_workers(session, settings=settings)
    states = [worker.state for worker in here]
    queued_at = session.scalar(repository.oldest_queued())
    beat_at = session.scalar(repository.oldest_beat())
    return Counts(
        studies=_numbers(StudyState, session.execute(repository.studies_by_state()).all()),
        trials=_numbers(TrialState, session.execute(repository.open_trials_by_state()).all()),
        attempts=_numbers(COUNTED_ATTEMPTS, session.execute(repository.attempts_by_state()).all()),
        workers={state.value: states.count(state) for state in WorkerState},
        slots=sum(worker.slots for worker in here if worker.state in PRESENT),
        queue_age_seconds=max(0.0, (now - queued_at).total_seconds()) if queued_at else 0.0,
        conductor_lag_seconds=max(0.0, (now - beat_at).total_seconds()) if beat_at else 0.0,
        artifact_bytes=repository.artifact_bytes(session),
    )


def _numbers(states: Iterable[StrEnum], rows: Iterable[tuple[StrEnum, int]]) -> dict[str, int]:
    found = {state.value: number for state, number in rows}
    return {state.value: found.get(state.value, 0) for state in states}
