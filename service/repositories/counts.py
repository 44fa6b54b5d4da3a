"""Queries that count, for monitoring and quotas: each by an index, none by a big table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from recipes.study import StudyState
from recipes.trial import TrialState
from recipes.wire import AttemptState
from service.database.models import Artifact, Attempt, Job, Study, Trial
from service.repositories.studies import ACTIVE

COUNTED_ATTEMPTS = (
    AttemptState.QUEUED,
    AttemptState.RUNNING,
    AttemptState.STOPPING,
    AttemptState.FAILED,
    AttemptState.PREEMPTED,
    AttemptState.LOST,
)
"""The states that few attempts are in; those of most grow with every study there ever was."""
ARTIFACTS_LOCK = 7_007_002
"""Key of the Postgres advisory lock under which all artifacts are added up."""
OPEN_STUDIES = tuple(state for state in StudyState if not state.has_ended)


def studies_by_state() -> Select[StudyState, int]:
    """How many studies are in each state."""
    return select(Study.state, func.count()).group_by(Study.state)


def open_trials_by_state() -> Select[TrialState, int]:
    """How many trials of studies that have not ended are in each state."""
    is_open = select(Study.id).where(Study.state.in_(OPEN_STUDIES))
    return (
        select(Trial.state, func.count()).where(Trial.study_id.in_(is_open)).group_by(Trial.state)
    )


def attempts_by_state() -> Select[AttemptState, int]:
    """How many attempts are in each counted state."""
    return (
        select(Attempt.state, func.count())
        .where(Attempt.state.in_(COUNTED_ATTEMPTS))
        .group_by(Attempt.state)
    )


def oldest_queued() -> Select[datetime]:
    """Since when the oldest attempt that may be claimed has been waiting."""
    return (
        select(func.min(Attempt.queued_at))
        .join(Job, Job.id == Attempt.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(Attempt.state == AttemptState.QUEUED, Study.state.in_(ACTIVE))
    )


def oldest_beat() -> Select[datetime | None]:
    """When a conductor last counted the time of the active study that waits longest for it."""
    return select(func.min(Study.active_since)).where(Study.state.in_(ACTIVE))


def hold_artifact_bytes(session: Session) -> None:
    """Be the only transaction that adds up all artifacts, until this one has ended.

    On SQLite a write session is alone as it is.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(ARTIFACTS_LOCK)))


def artifact_bytes(
    session: Session, study_id: int | None = None, *, besides_trial: int | None = None
) -> int:
    """Bytes that artifacts hold: all of them, or one study's.

    There are at most a few of each trial, so that adding them up takes milliseconds.

    Args:
        session: Any session.
        study_id: A study's row; None: all studies'.
        besides_trial: A trial's row, whose artifacts are left out.
    """
    query = select(func.coalesce(func.sum(Artifact.size), 0))
    if study_id is not None:
        query = query.where(Artifact.study_id == study_id)
    if besides_trial is not None:
        query = query.where(Artifact.trial_id != besides_trial)
    return int(session.scalar(query) or 0)
