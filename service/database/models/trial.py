"""The table of trials."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from recipes.trial import TrialCause, TrialPurpose, TrialState
from service.database.base import Base, Key
from service.database.types import UtcDateTime, text_enum


class Trial(Base):
    """One setting of hyperparameters, trained once, in one job or in several.

    At a rung of successive halving a running trial waits again, with its outcome so far,
    until a later job takes it on or it is discarded. An ended trial's state never changes.

    Attributes:
        engine: ``plain`` (alone) or ``fused`` (together with others), by the last outcome
            that said so; ``plain`` before there is one.
        engine_reason: Why alone where its run asked for company, as a part of a sentence.
        outcome: MemberOutcome as JSON; while the trial waits at a rung, what it has so far.
        iterations: Done by the last outcome.
        epoch_iterations: Iterations of one pass over the training data at its batch size.
        value: The task's objective on ``val`` at the best epoch so far; None without one.
    """

    __tablename__ = "trial"
    __table_args__ = (
        UniqueConstraint("study_id", "number"),
        Index(None, "study_id", "state"),
        # What the lists are ordered by.
        Index(None, "study_id", "value", "iterations", "number"),
        # All that is added up of a step's trials: their rows, with outcomes, are not read.
        Index(None, "step_run_id", "state", "iterations", "epoch_iterations"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    step_run_id: Mapped[int] = mapped_column(ForeignKey("step_run.id", ondelete="CASCADE"))
    number: Mapped[int]  # from 0, in plan order
    purpose: Mapped[TrialPurpose] = mapped_column(text_enum(TrialPurpose, "purpose"))
    label: Mapped[str] = mapped_column(String(100))
    params: Mapped[str] = mapped_column(Text)  # JSON
    seed: Mapped[int]
    data_seed: Mapped[int]
    engine: Mapped[str] = mapped_column(String(32))
    engine_reason: Mapped[str | None] = mapped_column(Text)
    state: Mapped[TrialState] = mapped_column(text_enum(TrialState, "state"))
    cause: Mapped[TrialCause | None] = mapped_column(text_enum(TrialCause, "cause"))
    outcome: Mapped[str | None] = mapped_column(Text)
    iterations: Mapped[int] = mapped_column(default=0)
    epoch_iterations: Mapped[int] = mapped_column(default=1)
    value: Mapped[float | None]
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
