"""What a study may spend and has spent, and how long its current step will still take."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from recipes.budget import Budget, BudgetState, Spent
from service.clock import database_now
from service.database.models import StepRun, Study
from service.repositories import spending as repository
from service.repositories import workers
from service.repositories.spending import Progress, Work
from service.settings import Settings


def active_seconds(study: Study, now: datetime) -> float:
    """A study's active time up to ``now``: paused and waiting for a person left out."""
    if study.active_since is None:
        return study.active_seconds
    return study.active_seconds + max(0.0, (now - study.active_since).total_seconds())


def spent(study: Study, work: Mapping[int | None, Work], now: datetime) -> Spent:
    """What a whole study has spent.

    Args:
        study: Which.
        work: What its trials and attempts cost, by step run.
        now: By the clock of leases.
    """
    return _spent(active_seconds(study, now), sum(work.values(), Work()))


def budget_state(
    session: Session, study: Study, run: StepRun | None, allowed: Budget, *, settings: Settings
) -> BudgetState:
    """The budget in the middle of a study, as a decision needs it.

    Args:
        session: Any session.
        study: Which.
        run: The step run that is under way.
        allowed: The limits.
        settings: How long a worker may be silent and still count as alive.
    """
    now = database_now(session)
    work = repository.by_step_run(session, [study.id]).get(study.id, {})
    step = Spent()
    if run is not None:
        since = active_seconds(study, now) - run.active_seconds_before
        step = _spent(max(0.0, since), work.get(run.id, Work()))
    alive = workers.slots_alive(session, now - timedelta(seconds=settings.lease_seconds))
    return BudgetState(
        allowed=allowed,
        spent=spent(study, work, now),
        step_spent=step,
        slots=max(1, alive),
    )


def eta_seconds(progress: Progress) -> float | None:
    """How long what is planned of a step will still take; None before anything is done.

    Each member still to come is taken to cost the mean of those done, spread over the
    attempts that run now.
    """
    left = progress.total - progress.done
    if progress.total == 0 or progress.done == 0:
        return None
    return progress.seconds / progress.done * left / max(1, progress.running)


def _spent(wall_seconds: float, work: Work) -> Spent:
    return Spent(
        wall_seconds=wall_seconds,
        epochs=work.epochs,
        trials=work.trials,
        device_seconds=work.device_seconds,
    )
