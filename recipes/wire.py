"""Messages between worker and service. Both sides import them from here."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from recipes.curve import CurveBlock
from recipes.description import TaskDescription, TaskProblem
from recipes.outcome import MemberOutcome
from recipes.run import Job
from recipes.value import Real, Value, Whole

MAX_BLOCKS = 1_000
"""Most curve blocks in one request."""
MAX_SLOTS = 1_024
"""Most slots of one worker."""


class AttemptState(StrEnum):
    """Where an attempt at a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PREEMPTED = "preempted"
    LOST = "lost"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether the attempt keeps this state for good."""
        return self not in (AttemptState.QUEUED, AttemptState.RUNNING, AttemptState.STOPPING)


class WorkerState(StrEnum):
    """What a worker is doing, derived from its heartbeat's age and its attempts."""

    BUSY = "busy"
    IDLE = "idle"
    DRAINING = "draining"
    LATE = "late"
    LOST = "lost"
    GONE = "gone"


class RegisterRequest(Value):
    """A worker introduces itself. A worker that lost its registration does it again."""

    name: str = Field(min_length=1, max_length=100)
    slots: Whole = Field(ge=1, le=MAX_SLOTS)
    devices: tuple[str, ...] = ()
    version: str


class RegisterAnswer(Value):
    """Who the worker is from now on, and the periods to keep."""

    worker: str
    heartbeat_seconds: float
    lease_seconds: float
    max_offline_seconds: float


class ClaimRequest(Value):
    """A free slot asks for work and waits up to ``wait_seconds`` for it."""

    slot: Whole = Field(ge=0, lt=MAX_SLOTS)
    wait_seconds: Real = Field(default=20.0, ge=0, le=60)


class ResumePoint(Value):
    """Where a member goes on: after ``epoch`` whole epochs, from that checkpoint."""

    trial: int
    epoch: int = Field(ge=1)
    iteration: int = Field(ge=1)
    artifact: str


class Snapshot(Value):
    """The artifact that holds the best weights of an earlier trial a member uses."""

    trial: int
    artifact: str


class Claim(Value):
    """An attempt, leased to the worker. The job holds only members that have not ended.

    Attributes:
        token: Good for this attempt's own routes, and for nothing else.
        resume: Members that go on from a checkpoint, of an earlier attempt or job.
        snapshots: Every trial named in a member's ``snapshots``, once.
    """

    attempt: str
    fence: int
    token: str = Field(repr=False)
    study: str
    lease_seconds: float
    job: Job
    resume: tuple[ResumePoint, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()

    @property
    def title(self) -> str:
        """What log lines call it."""
        return f"study {self.study} attempt {self.attempt}"


class Fenced(Value):
    """Every worker write carries the attempt's fence; a stale one is answered 409."""

    fence: Whole = Field(ge=0, lt=2**31)


class HeartbeatRequest(Fenced):
    """The attempt is alive."""


class HeartbeatAnswer(Value):
    """Go on, or stop; and members to drop."""

    command: Literal["continue", "stop"]
    drop: tuple[int, ...] = ()


class PointsRequest(Fenced):
    """Curve points, and members that have ended. Sending it twice has the effect of once."""

    blocks: Annotated[tuple[CurveBlock, ...], Field(max_length=MAX_BLOCKS)] = ()
    outcomes: tuple[MemberOutcome, ...] = ()


class PointsAnswer(Value):
    """How many points were new."""

    accepted: int


class AttemptError(Value):
    """Why an attempt failed.

    With ``checkpoint_gone`` a checkpoint to go on from could not be had: the members that
    were to go on begin afresh.
    """

    kind: Literal["error", "out_of_memory", "crashed", "task", "checkpoint_gone"]
    message: str
    traceback: str | None = None
    problem: TaskProblem | None = None  # with kind "task": the task cannot be used


class FinishRequest(PointsRequest):
    """The attempt has ended; with the last points and outcomes, which it then need not send by
    themselves. All others were sent before."""

    state: Literal[
        AttemptState.SUCCEEDED, AttemptState.FAILED, AttemptState.PREEMPTED, AttemptState.CANCELLED
    ]
    description: TaskDescription | None = None  # of a describe job
    error: AttemptError | None = None


class ArtifactKind(StrEnum):
    """What an uploaded artifact is."""

    CHECKPOINT = "checkpoint"  # a member's whole state: where it goes on; goes when it has ended
    SNAPSHOT = "snapshot"  # the weights of its best epoch; they stay with the study


class CheckpointAnswer(Value):
    """The stored checkpoint or snapshot."""

    artifact: str
    sha256: str
