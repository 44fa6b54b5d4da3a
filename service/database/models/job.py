"""Tables of jobs and their members: the trials that train together."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from recipes.run import JobKind
from recipes.trial import TrialCause, TrialState
from service.database.base import Base, Key
from service.database.types import UtcDateTime, text_enum


class Job(Base):
    """One unit of dispatch. It has ended when no attempt at it will be made any more."""

    __tablename__ = "job"
    __table_args__ = (Index(None, "study_id", "step_run_id"), Index(None, "step_run_id", "state"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    step_run_id: Mapped[int | None] = mapped_column(ForeignKey("step_run.id", ondelete="CASCADE"))
    kind: Mapped[JobKind] = mapped_column(text_enum(JobKind, "kind"))
    run: Mapped[str | None] = mapped_column(Text)  # RunSpec as JSON; None for describe
    state: Mapped[TrialState] = mapped_column(text_enum(TrialState, "state"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class JobMember(Base):
    """One trial of a job. A member that has ended keeps its result when an attempt dies.

    A member that paused at a rung is ``complete`` without a cause: the job's part of the
    trial is done, the trial itself waits.
    """

    __tablename__ = "job_member"
    __table_args__ = (Index(None, "trial_id"),)

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    trial_id: Mapped[int] = mapped_column(
        ForeignKey("trial.id", ondelete="CASCADE"), primary_key=True
    )
    state: Mapped[TrialState] = mapped_column(text_enum(TrialState, "state"))
    cause: Mapped[TrialCause | None] = mapped_column(text_enum(TrialCause, "cause"))
