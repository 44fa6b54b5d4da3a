"""The child's end of the pipes between an agent and a slot process."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from typing import BinaryIO

from pydantic import ValidationError

from recipes.curve import CurveBlock
from recipes.failpoint import failpoint
from recipes.outcome import MemberOutcome
from recipes.value import Value
from recipes.wire import ArtifactKind
from worker.slot.messages import (
    COMMAND,
    UNREADABLE_EXIT,
    ArtifactWritten,
    Command,
    DropTrials,
    LoadTask,
    OutcomeReported,
    PointsReported,
    StartJob,
    StopJob,
)


class Channel:
    """The child's end of the pipes: commands in, messages out.

    Takes over descriptors 0 and 1 for good: afterwards standard input is empty and
    standard output is standard error, for this process and all it starts.
    """

    def __init__(self) -> None:
        self._commands: BinaryIO = os.fdopen(os.dup(0), "rb")
        self._messages: BinaryIO = os.fdopen(os.dup(1), "wb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        self._jobs: queue.Queue[StartJob | LoadTask] = queue.Queue()
        self._stopping = threading.Event()
        self._dropped: frozenset[int] = frozenset()
        self._attempt: str | None = None  # the latest job's
        threading.Thread(target=self._listen, name="commands", daemon=True).start()

    def next_job(self, timeout_seconds: float | None = None) -> StartJob | LoadTask | None:
        """Wait for a job, or a task to load; None when none came in time."""
        try:
            return self._jobs.get(timeout=timeout_seconds)
        except queue.Empty:
            return None

    def send(self, message: Value) -> None:
        """Tell the agent. Only the main thread does."""
        self._messages.write(message.model_dump_json().encode() + b"\n")
        self._messages.flush()

    def stopping(self) -> bool:
        """Whether the running job should end."""
        return self._stopping.is_set()

    def dropped(self, trial: int) -> bool:
        """Whether a member of the running job is no longer wanted."""
        return trial in self._dropped

    def _listen(self) -> None:
        try:
            for line in self._commands:
                try:
                    command = COMMAND.validate_json(line)
                except ValidationError as error:
                    # Better gone than deaf. The agent is there, and kills what this leaves.
                    sys.stderr.write(f"a command that cannot be read: {error}\n")
                    sys.stderr.flush()
                    os._exit(UNREADABLE_EXIT)
                self._obey(command)
        finally:
            die()

    def _obey(self, command: Command) -> None:
        match command:
            case StartJob() as job:
                self._attempt = job.attempt
                self._stopping.clear()
                self._dropped = frozenset()
                self._jobs.put(job)
            case LoadTask() as load:
                self._jobs.put(load)
            case StopJob(attempt=attempt) if attempt == self._attempt:
                self._stopping.set()
            case DropTrials(attempt=attempt, trials=trials) if attempt == self._attempt:
                self._dropped |= frozenset(trials)


class ChannelReporter:
    """A job's Reporter: passes everything on to the agent, in order."""

    def __init__(self, channel: Channel, directory: str) -> None:
        self.told: set[int] = set()  # trials with an outcome
        self._channel = channel
        self._directory = directory

    def points(self, block: CurveBlock) -> None:
        """Curve points of one member."""
        self._channel.send(PointsReported(block=block))
        failpoint("slot.after_points")

    def checkpoint(self, trial: int, epoch: int, iteration: int, content: bytes) -> None:
        """A member's whole state; one that this machine's disk has no room for is left out.

        Without it a trial that is interrupted begins anew, and ends the same.
        """
        kind = ArtifactKind.CHECKPOINT
        try:
            path = self._write(f"{trial}-{epoch}.{kind}", content)
        except OSError as error:
            sys.stderr.write(f"the checkpoint of trial {trial} is not kept: {error}\n")
            sys.stderr.flush()
            return
        self._hand_over(kind, trial, epoch, iteration, path)

    def snapshot(self, trial: int, epoch: int, iteration: int, content: bytes) -> None:
        """A member's best weights."""
        kind = ArtifactKind.SNAPSHOT
        path = self._write(f"{trial}-{epoch}.{kind}", content)
        self._hand_over(kind, trial, epoch, iteration, path)

    def outcome(self, outcome: MemberOutcome) -> None:
        """A member has ended, or waits."""
        self.told.add(outcome.trial)
        self._channel.send(OutcomeReported(outcome=outcome))
        failpoint("slot.after_pause" if not outcome.state.has_ended else "slot.after_outcome")

    def stopping(self) -> bool:
        """Whether to end now."""
        return self._channel.stopping()

    def dropped(self, trial: int) -> bool:
        """Whether this member is no longer wanted."""
        return self._channel.dropped(trial)

    def _write(self, name: str, content: bytes) -> str:
        """Where an artifact lies: a file that is there whole or not at all."""
        path = os.path.join(self._directory, name)
        part = f"{path}.part"
        try:
            with open(part, "wb") as file:
                file.write(content)
            os.replace(part, path)
        except OSError:
            with contextlib.suppress(OSError):  # its room on a full disk
                os.unlink(part)
            raise
        return path

    def _hand_over(
        self, kind: ArtifactKind, trial: int, epoch: int, iteration: int, path: str
    ) -> None:
        self._channel.send(
            ArtifactWritten(kind=kind, trial=trial, epoch=epoch, iteration=iteration, path=path)
        )
        failpoint(f"slot.after_{kind}")


def die() -> None:
    """End this process and everything it started, now, without a word from user code."""
    if os.getpgrp() == os.getpid():  # not when a test runs it inside its own group
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
