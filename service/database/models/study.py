"""Tables of a study, its steps, what it found and what happened in it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from recipes.finding import Severity
from recipes.step import StepState
from recipes.study import StudyState
from service.database.base import Base, Key
from service.database.types import UtcDateTime, text_enum


class Study(Base):
    """A study. ``version`` counts its changes; whoever changes it says which it saw.

    This row's lock comes first in every transaction that changes anything of the study
    (a claim aside, which writes no event), so that no two of them can deadlock.

    Active time is ``active_seconds`` and what went by since ``active_since``, which is None
    while the study is paused, waits for a person or has ended. The conductor moves both on
    every few seconds, so that time without a service does not count.
    """

    __tablename__ = "study"
    __table_args__ = (Index(None, "state"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    version: Mapped[int] = mapped_column(default=0)
    name: Mapped[str] = mapped_column(String(100))
    config: Mapped[str] = mapped_column(Text)  # StudyConfig as JSON
    seed: Mapped[int]
    state: Mapped[StudyState] = mapped_column(text_enum(StudyState, "state"))
    reason: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)  # TaskDescription as JSON
    problem: Mapped[str | None] = mapped_column(Text)  # TaskProblem as JSON
    space: Mapped[str | None] = mapped_column(Text)  # SearchSpace as JSON, the study's changes in
    digest: Mapped[str | None] = mapped_column(String(128))  # of the task's code
    result: Mapped[str | None] = mapped_column(Text)  # Result as JSON, of the newest report
    num_trials: Mapped[int] = mapped_column(default=0)  # the next trial's number
    num_events: Mapped[int] = mapped_column(default=0)  # the last event's sequence
    active_seconds: Mapped[float] = mapped_column(default=0.0)
    active_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rerun_from: Mapped[int | None] = mapped_column(Key)  # a step run's id, while described again
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StepRun(Base):
    """One run of one step: its number, round and pass. Its report is there once judged.

    A step that runs again, after widening or because the task was described anew, takes the
    next pass of its round. What a person decided on a report (``accepted``, ``skipped`` and
    why, ``stale``) is written into the report itself.
    """

    __tablename__ = "step_run"
    __table_args__ = (UniqueConstraint("study_id", "number", "round", "pass"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    number: Mapped[int]
    round: Mapped[int]
    pass_number: Mapped[int] = mapped_column("pass")
    state: Mapped[StepState] = mapped_column(text_enum(StepState, "state"))
    task_digest: Mapped[str | None] = mapped_column(String(128))
    plan: Mapped[str | None] = mapped_column(Text)  # the last plan's sentence
    report: Mapped[str | None] = mapped_column(Text)  # StepReport as JSON
    active_seconds_before: Mapped[float] = mapped_column(default=0.0)  # the study's, at its start
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StepWork(Base):
    """What the trials of a judged step run came to, so that nobody adds them up again.

    A step run without a row, because it is under way or ended without a verdict, is added up
    from its trials and attempts.

    Attributes:
        epochs: Passes over the training data.
        trials: That count against a budget in trials.
        device_seconds: Of ended attempts.
        memory: SearchMemory as JSON: what later steps need to know of a search's trials.
    """

    __tablename__ = "step_work"
    __table_args__ = (Index(None, "study_id"),)

    step_run_id: Mapped[int] = mapped_column(
        ForeignKey("step_run.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    epochs: Mapped[float]
    trials: Mapped[int]
    device_seconds: Mapped[float]
    memory: Mapped[str | None] = mapped_column(Text)


class Finding(Base):
    """What a rule saw. ``body`` is the whole finding; the columns are for looking."""

    __tablename__ = "finding"
    __table_args__ = (Index(None, "study_id"), Index(None, "step_run_id"), Index(None, "trial_id"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    step_run_id: Mapped[int] = mapped_column(ForeignKey("step_run.id", ondelete="CASCADE"))
    trial_id: Mapped[int | None] = mapped_column(ForeignKey("trial.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(String(64))
    severity: Mapped[Severity] = mapped_column(text_enum(Severity, "severity"))
    body: Mapped[str] = mapped_column(Text)  # Finding as JSON


class Event(Base):
    """Something that happened. The sequence is given under the study's row lock: a bare
    autoincrement would let a late commit slip in below what a reader has already seen."""

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("study_id", "sequence"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    sequence: Mapped[int]
    kind: Mapped[str] = mapped_column(String(32))
    payload: Mapped[str] = mapped_column(Text)  # JSON
    at: Mapped[datetime] = mapped_column(UtcDateTime)
