"""What an agent and its slot processes say to each other: one JSON object a line.

The agent sends commands to the child's standard input, the child answers on what was
its standard output. Closing the input ends the child.
"""

from __future__ import annotations

import os
import signal
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from recipes.curve import CurveBlock
from recipes.description import TaskDescription
from recipes.outcome import MemberOutcome
from recipes.run import Job, TaskRef
from recipes.value import Value
from recipes.wire import ArtifactKind, AttemptError

UNREADABLE_EXIT = os.EX_PROTOCOL
"""Exit code of a child that got a command it cannot read (sysexits.h: error in a protocol)."""
SLOTS_ON_DEVICE = "SEVENSTEP_SLOTS_ON_DEVICE"
"""The variable that tells a child how many slots share its GPU, itself one of them."""
STACKS_SIGNAL = signal.SIGUSR1
"""Has the child write to standard error where each of its threads stands."""


class ResumeFile(Value):
    """A member's checkpoint to go on from, fetched by the agent."""

    trial: int
    epoch: int
    iteration: int
    path: str


class SnapshotFile(Value):
    """The best weights of an earlier trial, fetched by the agent."""

    trial: int
    path: str


class StartJob(Value):
    """Carry out a job. Flags set by earlier commands no longer count."""

    type: Literal["job"] = "job"
    attempt: str
    job: Job
    resume: tuple[ResumeFile, ...] = ()
    snapshots: tuple[SnapshotFile, ...] = ()
    checkpoint_seconds: float
    directory: str  # where files with artifacts go; the agent removes them
    measures_fusing: bool = True  # when it describes: how trials train together too


class LoadTask(Value):
    """Load a task and its data, for a job that will come. The child ends where it cannot."""

    type: Literal["load"] = "load"
    task: TaskRef


class StopJob(Value):
    """End this attempt's job soon, keeping what was reported. Late for another's: no effect."""

    type: Literal["stop"] = "stop"
    attempt: str


class DropTrials(Value):
    """These members of this attempt's job are no longer wanted."""

    type: Literal["drop"] = "drop"
    attempt: str
    trials: tuple[int, ...]


Command = Annotated[StartJob | LoadTask | StopJob | DropTrials, Field(discriminator="type")]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)
"""Reads one line of the child's standard input."""


class Ready(Value):
    """The libraries are loaded; jobs start without delay from here on."""

    type: Literal["ready"] = "ready"
    device: str


class TaskLoaded(Value):
    """The files the task was loaded from, with what they looked like then.

    Sent again when more of them were imported. A changed one makes the process stale.
    """

    type: Literal["loaded"] = "loaded"
    files: dict[str, str]


class PointsReported(Value):
    """Curve points of one member."""

    type: Literal["points"] = "points"
    block: CurveBlock


class OutcomeReported(Value):
    """A member has ended, or waits."""

    type: Literal["outcome"] = "outcome"
    outcome: MemberOutcome


class ArtifactWritten(Value):
    """A member's checkpoint or snapshot lies in a file.

    The points reported before belong to it; the outcome that relies on it comes after.
    """

    type: Literal["artifact"] = "artifact"
    kind: ArtifactKind
    trial: int
    epoch: int
    iteration: int
    path: str


class JobDone(Value):
    """The job has ended; nothing more is said about it."""

    type: Literal["done"] = "done"
    result: Literal["succeeded", "stopped", "failed"]
    description: TaskDescription | None = None
    error: AttemptError | None = None


SlotMessage = Annotated[
    Ready | TaskLoaded | PointsReported | OutcomeReported | ArtifactWritten | JobDone,
    Field(discriminator="type"),
]
SLOT_MESSAGE: TypeAdapter[SlotMessage] = TypeAdapter(SlotMessage)
"""Reads one line of the child's answers."""
