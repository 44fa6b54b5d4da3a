"""Statements that remove rows for good, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Delete, Select, delete, select
from sqlalchemy.orm import Session

from recipes.study import StudyState
from service.database.base import Base
from service.database.models import (
    Artifact,
    Attempt,
    Curve,
    CurvePoint,
    Event,
    Finding,
    Job,
    KeptAnswer,
    StepRun,
    Study,
    Trial,
)
from service.uids import DELETED

ENDED = tuple(state for state in StudyState if state.has_ended)
CURVES_AT_ONCE = 50
"""Curves a slice, with their points: some thousand rows, a point an evaluation."""
ROWS_AT_ONCE = 500
"""Rows a slice of any other table."""


def deleted_studies(session: Session) -> Sequence[int]:
    """Keys of studies that were deleted and still hold rows."""
    return session.scalars(
        select(Study.id).where(Study.uid.startswith(DELETED, autoescape=True)).order_by(Study.id)
    ).all()


def slice_of_study(session: Session, study_id: int) -> Sequence[str] | None:
    """Remove some of what a deleted study holds, and at last the study.

    Its row is held meanwhile, as by whoever writes for it: nothing comes in between.

    Returns:
        Uids of artifacts whose rows went; None when the study itself is gone now.
    """
    own = select(Study.id).where(Study.id == study_id)
    if session.scalar(own.with_for_update()) is None:
        return None
    trials = select(Trial.id).where(Trial.study_id == study_id)
    curves = _keys(session, select(Curve.id).where(Curve.trial_id.in_(trials)), CURVES_AT_ONCE)
    if curves:
        _delete(session, delete(CurvePoint).where(CurvePoint.curve_id.in_(curves)))
        _delete(session, delete(Curve).where(Curve.id.in_(curves)))
        return ()
    files = artifacts_of(session, select(Artifact.id).where(Artifact.study_id == study_id))
    if files:
        return files
    jobs = select(Job.id).where(Job.study_id == study_id)
    # Those that others point at come last: what goes along by cascade is little then.
    for table, rows in (
        (Event, select(Event.id).where(Event.study_id == study_id)),
        (Finding, select(Finding.id).where(Finding.study_id == study_id)),
        (Attempt, select(Attempt.id).where(Attempt.job_id.in_(jobs))),
        (Job, jobs),
        (Trial, trials),
        (StepRun, select(StepRun.id).where(StepRun.study_id == study_id)),
        (Study, own),
    ):
        if _delete_some(session, table, rows):
            return None if table is Study else ()
    return None


def artifacts_of(session: Session, rows: Select[int]) -> Sequence[str]:
    """Remove some artifacts' rows, by their keys; the uids of those that went."""
    keys = _keys(session, rows, ROWS_AT_ONCE)
    return session.scalars(
        delete(Artifact)
        .where(Artifact.id.in_(keys))
        .returning(Artifact.uid)
        .execution_options(synchronize_session=False)
    ).all()


def old_artifacts(session: Session, before: datetime) -> Sequence[str]:
    """Remove some artifacts of studies that ended before a moment; the uids of those."""
    return artifacts_of(
        session,
        select(Artifact.id)
        .join(Study, Study.id == Artifact.study_id)
        .where(Study.state.in_(ENDED), Study.finished_at < before),
    )


def old_events(session: Session, before: datetime) -> int:
    """Remove some events of studies that ended before a moment; how many."""
    rows = (
        select(Event.id)
        .join(Study, Study.id == Event.study_id)
        .where(Study.state.in_(ENDED), Study.finished_at < before)
    )
    return _delete_some(session, Event, rows)


def old_answers(session: Session, before: datetime) -> int:
    """Remove some answers that were kept for requests before a moment; how many."""
    rows = select(KeptAnswer.id).where(KeptAnswer.created_at <= before)
    return _delete_some(session, KeptAnswer, rows)


def _keys(session: Session, rows: Select[int], limit: int) -> Sequence[int]:
    return session.scalars(rows.limit(limit)).all()


def _delete_some(session: Session, table: type[Base], rows: Select[int]) -> int:
    keys = _keys(session, rows, ROWS_AT_ONCE)
    if keys:
        (column,) = table.__table__.primary_key
        _delete(session, delete(table).where(column.in_(keys)))
    return len(keys)


def _delete(session: Session, statement: Delete) -> None:
    session.execute(statement.execution_options(synchronize_session=False))
