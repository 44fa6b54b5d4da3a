"""Queries on what judged step runs came to."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.orm import Session

from recipes.search.memory import SearchMemory
from service.database.models import StepWork
from service.repositories import spending


def add(session: Session, study_id: int, step_run_id: int, memory: SearchMemory | None) -> None:
    """Add up a step run that is being judged, whose study's row is held.

    Args:
        session: A write session.
        study_id: The study's key.
        step_run_id: The step run's key. It has no row yet.
        memory: For a search: what later steps need to know of its trials.
    """
    work = spending.by_step_run(session, [study_id])[study_id][step_run_id]
    session.execute(
        insert(StepWork).values(
            step_run_id=step_run_id,
            study_id=study_id,
            epochs=work.epochs,
            trials=work.trials,
            device_seconds=work.device_seconds,
            memory=None if memory is None else memory.model_dump_json(),
        )
    )


def add_seconds(session: Session, step_run_id: int, seconds: float) -> None:
    """Count an attempt that ended after its step was judged; else nothing happens."""
    session.execute(_ADD_SECONDS, {"of_run": step_run_id, "seconds": seconds})


# Made once, and of the table: with each job, making it took longer than SQLite's part.
_STEP_WORK = cast(Table, StepWork.__table__)
_ADD_SECONDS = (
    update(_STEP_WORK)
    .where(_STEP_WORK.c.step_run_id == bindparam("of_run"))
    .values(device_seconds=_STEP_WORK.c.device_seconds + bindparam("seconds"))
)


def memories(session: Session, study_id: int) -> dict[int, SearchMemory]:
    """What is remembered of a study's searches, by the keys of their step runs."""
    rows = session.execute(
        select(StepWork.step_run_id, StepWork.memory).where(
            StepWork.study_id == study_id, StepWork.memory.is_not(None)
        )
    )
    return {run_id: SearchMemory.model_validate_json(text) for run_id, text in rows if text}
