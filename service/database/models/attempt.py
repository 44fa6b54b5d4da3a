"""Tables of attempts at jobs, and of the artifacts they leave."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from recipes.wire import AttemptState
from service.database.base import Base, Key
from service.database.types import UtcDateTime, text_enum


class Attempt(Base):
    """One try at a job.

    Attributes:
        token_sha256: Of the token that was handed out with it, good for its own routes alone.
        fence: Rises each time the job is handed out; a write with another one is refused.
        slot: The worker's slot that holds it.
        heard_at: The last word from the worker about it; None: it was handed out and
            nothing is known to have arrived.
        lease_expires_at: When a silent worker loses it.
        cause: For an ended one: which kind of failure, or why it was lost.
        seconds: For an ended one: how long a slot was held for it.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        UniqueConstraint("job_id", "number"),
        Index(None, "state", "id"),
        Index(None, "state", "lease_expires_at"),
        Index(None, "worker_id", "state"),
        Index(None, "token_sha256"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    number: Mapped[int]  # from 1
    fence: Mapped[int]
    token_sha256: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[AttemptState] = mapped_column(text_enum(AttemptState, "state"))
    worker_id: Mapped[int | None] = mapped_column(ForeignKey("worker.id"))
    slot: Mapped[int | None]
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seconds: Mapped[float] = mapped_column(default=0.0)
    cause: Mapped[str | None] = mapped_column(String(32))
    error: Mapped[str | None] = mapped_column(Text)
    traceback: Mapped[str | None] = mapped_column(Text)


class AttemptMember(Base):
    """One trial of a handed-out attempt, and where it goes on from (0: the beginning)."""

    __tablename__ = "attempt_member"
    __table_args__ = (Index(None, "trial_id"), Index(None, "artifact_id"))

    attempt_id: Mapped[int] = mapped_column(
        ForeignKey("attempt.id", ondelete="CASCADE"), primary_key=True
    )
    trial_id: Mapped[int] = mapped_column(
        ForeignKey("trial.id", ondelete="CASCADE"), primary_key=True
    )
    resume_epoch: Mapped[int] = mapped_column(default=0)
    resume_iteration: Mapped[int] = mapped_column(default=0)
    artifact_id: Mapped[int | None] = mapped_column(ForeignKey("artifact.id", ondelete="SET NULL"))


class Artifact(Base):
    """A file a worker left. Its bytes lie in the artifacts folder under ``uid``."""

    __tablename__ = "artifact"
    __table_args__ = (
        UniqueConstraint("attempt_id", "trial_id", "kind", "epoch"),
        Index(None, "study_id"),
        Index(None, "trial_id", "epoch"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id", ondelete="CASCADE"))
    trial_id: Mapped[int] = mapped_column(ForeignKey("trial.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))  # checkpoint or snapshot
    epoch: Mapped[int]
    iteration: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
