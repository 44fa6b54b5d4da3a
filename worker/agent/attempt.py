"""One attempt: a slot process carries it out, the service hears of it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import partial
from pathlib import Path

from recipes.failpoint import failpoint
from recipes.redaction import redact
from recipes.wire import (
    ArtifactKind,
    AttemptState,
    Claim,
    HeartbeatRequest,
    PointsRequest,
)
from worker.agent.backoff import Backoff
from worker.agent.client import (
    Fenced,
    NoRoom,
    Refused,
    ServiceClient,
    Unauthorized,
    Unreachable,
)
from worker.agent.ending import conclude
from worker.agent.inputs import Inputs
from worker.agent.slot import Exited, SlotProcess
from worker.agent.snapshots import SnapshotCache
from worker.agent.spool import Batch, Spool
from worker.slot.messages import (
    ArtifactWritten,
    DropTrials,
    JobDone,
    OutcomeReported,
    PointsReported,
    StartJob,
    StopJob,
)

LOOK_SECONDS = 0.1
"""How often a quiet process is looked at while it was told to stop."""
FIRST_BEAT_SECONDS = 0.05
"""After which the service hears that a job has begun."""
LAST_WORDS_SECONDS = 0.5
"""How long a process that hangs may take to write where it does."""
FENCED_GRACE_SECONDS = 1.0
"""How long a run whose results nobody takes may go on: enough to keep the process warm."""

logger = logging.getLogger(__name__)


class AttemptRun:
    """Carries out a claimed attempt. ``carry_out`` blocks; the rest is for other threads.

    Nothing is written for the attempt after the service answered that it is somebody
    else's, or after ``abandon``.

    Args:
        claim: What the service handed out.
        client: The way to the service; the attempt's calls go under the claim's token.
        process: A slot process that serves the claim's task.
        directory: A private, existing folder for files with artifacts.
        snapshots: Where those of earlier trials are kept.
        checkpoint_seconds: Least time between checkpoints of a member.
        batch_seconds: Longest time a point waits for others to travel with.
        grace_seconds: How long a process told to stop may take before it is killed.
        max_offline_seconds: How long the service may be away before the run is given up; also
            how long one report is sent again and again to a service that is there.
        stall_seconds: How long the process may say nothing before it counts as hanging.
    """

    def __init__(
        self,
        claim: Claim,
        client: ServiceClient,
        process: SlotProcess,
        *,
        directory: Path,
        snapshots: SnapshotCache,
        checkpoint_seconds: float,
        batch_seconds: float,
        grace_seconds: float,
        max_offline_seconds: float,
        stall_seconds: float,
    ) -> None:
        self.claim = claim
        self._client = client.with_token(claim.token)
        self._process = process
        self._directory = directory
        self._inputs = Inputs(claim, self._client, directory, snapshots, self._deliver)
        self._checkpoint_seconds = checkpoint_seconds
        self._grace_seconds = grace_seconds
        self._max_offline_seconds = max_offline_seconds
        self._stall_seconds = stall_seconds
        self._spool = Spool(batch_seconds=batch_seconds)
        self._changing = threading.Lock()
        self._abandoned = threading.Event()
        self._stop_as: AttemptState | None = None  # the state to finish with once told to stop
        self._refusal: str | None = None  # why the service takes no more reports
        self._has_stalled = False
        self._is_started = False
        self._kill_at = float("inf")  # on this machine's monotonic clock, like all times here
        self._heard_at = time.monotonic()
        self._dropped: set[int] = set()
        self.leaves_clean_process = True
        """Whether the process can carry out another job: it neither died nor failed."""

    def __str__(self) -> str:
        return self.claim.title

    def carry_out(self) -> None:
        """Run the job, report everything, finish. Returns when the attempt is over here."""
        logger.info("%s: begins (%s, %s)", self, self.claim.job.kind, self.claim.job.task.path)
        end = self._run_job()
        self.leaves_clean_process = end is None or (
            isinstance(end, JobDone) and end.result != "failed"
        )
        if self._abandoned.is_set():
            return
        failpoint("agent.before_finish")
        had_refusal = self._refusal is not None
        taken = self._finish(end, self._spool.rest())
        if not taken and self._refusal is not None and not had_refusal:
            self._finish(end, Batch())  # the end as it was is not taken: say so
        failpoint("agent.after_finish")

    def _finish(self, end: JobDone | Exited | None, rest: Batch) -> bool:
        """Say how the attempt ended, with the last reports; whether that was taken."""
        hung = self._stall_seconds if self._has_stalled else None
        ended = conclude(
            end, self._stop_as, self._refusal, self._inputs.gone, stalled_seconds=hung
        )
        if ended.error is not None:
            logger.warning("%s: %s", self, ended.error.message)
        request = ended.request(self.claim.fence, rest)
        taken = self._deliver(lambda: self._client.finish(self.claim.attempt, request))
        if taken:
            logger.info("%s: %s", self, ended.state)
        return taken

    def heartbeat(self) -> None:
        """Say that the attempt is alive, and do what the answer asks."""
        if self._abandoned.is_set():
            return
        request = HeartbeatRequest(fence=self.claim.fence)
        try:
            answer = self._client.heartbeat(self.claim.attempt, request)
        except Unreachable as error:
            silent_seconds = time.monotonic() - self._heard_at
            logger.warning("%s: no heartbeat for %.0f s: %s", self, silent_seconds, error)
            if silent_seconds > self._max_offline_seconds:
                self.abandon(f"the service has been away for {silent_seconds:.0f} s")
            return
        except (Fenced, Unauthorized) as error:
            self.abandon(str(error))
            return
        except Refused as error:
            self._refuse(str(error))
            return
        self._heard_at = time.monotonic()
        if answer.command == "stop":
            self.stop(AttemptState.CANCELLED)
        self._drop(answer.drop)

    def stop(self, state: AttemptState) -> None:
        """End the run soon, keep what it reported, and finish in ``state``."""
        with self._changing:
            if self._stop_as is not None:
                return
            self._stop_as = state
        logger.info("%s: told to stop (%s)", self, state)
        self._stop_process(self._grace_seconds)

    def _drop(self, trials: Iterable[int]) -> None:
        with self._changing:
            new = set(trials) - self._dropped
            self._dropped |= new
            if new and self._is_started:  # else they follow the job
                self._send_drop(new)

    def _send_drop(self, trials: Iterable[int]) -> None:
        command = DropTrials(attempt=self.claim.attempt, trials=tuple(sorted(trials)))
        self._process.send(command)

    def abandon(self, reason: str) -> None:
        """End the run and write nothing more for it."""
        if self._abandoned.is_set():
            return
        self._abandoned.set()
        logger.warning("%s: abandoned: %s", self, reason)
        self._spool.discard()
        self._stop_process(min(self._grace_seconds, FENCED_GRACE_SECONDS))

    def _refuse(self, reason: str) -> None:
        """Reports cannot be delivered: end the run, and say why when finishing."""
        logger.error("%s: a report was not delivered: %s", self, reason)
        self._refusal = reason
        self._spool.discard()
        self._stop_process(self._grace_seconds)

    def _stop_process(self, grace_seconds: float) -> None:
        self._kill_at = min(self._kill_at, time.monotonic() + grace_seconds)
        self._process.send(StopJob(attempt=self.claim.attempt))

    def _run_job(self) -> JobDone | Exited | None:
        """Start the job and follow it to its end; None when it was not started."""
        resume = self._inputs.resume_points()
        snapshots = self._inputs.snapshots() if not self._inputs.gone else ()
        send = partial(copy_context().run, self._send_reports)  # its log is about the same
        sender = threading.Thread(target=send, name=f"send-{self.claim.attempt}")
        with self._changing:  # a stop comes before the job or after it, never in between
            if self._stop_as or self._refusal or self._inputs.gone or self._abandoned.is_set():
                return None
            self._process.send(
                StartJob(
                    attempt=self.claim.attempt,
                    job=self.claim.job,
                    resume=resume,
                    snapshots=snapshots,
                    checkpoint_seconds=self._checkpoint_seconds,
                    directory=str(self._directory),
                )
            )
            self._is_started = True
            if self._dropped:
                self._send_drop(self._dropped)
        sender.start()
        try:
            return self._follow()
        finally:
            self._spool.close()
            sender.join()

    def _follow(self) -> JobDone | Exited:
        """Hand the process's reports to the spool until the job has ended."""
        heard_at = time.monotonic()
        beat_at = heard_at + FIRST_BEAT_SECONDS
        while True:
            message = self._process.receive(min(LOOK_SECONDS, max(0.0, beat_at - heard_at)))
            match message:
                case JobDone() | Exited():
                    return message
                case PointsReported(block=block):
                    self._spool.put(block)
                case OutcomeReported(outcome=outcome):
                    said = outcome.message and redact(outcome.message)
                    self._spool.put(outcome.model_copy(update={"message": said}))
                case ArtifactWritten():
                    older = self._spool.put(message)
                    if older is not None:
                        Path(older.path).unlink(missing_ok=True)
                case _:
                    pass
            now = time.monotonic()
            if now >= beat_at:
                beat_at = math.inf  # the next ones are the agent's
                self.heartbeat()
            if message is not None:  # after the put: a full spool is not the process's fault
                heard_at = now
            elif now - heard_at > self._stall_seconds and not self._has_stalled:
                self._end_stalled()
            if now > self._kill_at:
                logger.warning("%s: did not stop in time, killed", self)
                self._kill_at = float("inf")
                self._process.kill()

    def _end_stalled(self) -> None:
        """The process hangs: heartbeats would keep its lease alive for ever."""
        logger.error("%s: nothing heard for %.0f s", self, self._stall_seconds)
        self._has_stalled = True
        self._process.dump_stacks()
        self._kill_at = min(self._kill_at, time.monotonic() + LAST_WORDS_SECONDS)

    def _send_reports(self) -> None:
        try:
            while (batch := self._spool.take()) is not None:
                if self._deliver(partial(self._send, batch)):
                    failpoint("agent.after_points")
        except Exception as error:
            # Without this thread the run would wait for ever, or finish without its points.
            logger.exception("%s: the sender is broken", self)
            self._refuse(f"{type(error).__name__}: {error}")

    def _send(self, batch: Batch) -> None:
        if batch.artifact is not None:
            self._send_artifact(batch.artifact)
            return
        request = PointsRequest(
            fence=self.claim.fence, blocks=batch.blocks, outcomes=batch.outcomes
        )
        self._client.points(self.claim.attempt, request)

    def _send_artifact(self, artifact: ArtifactWritten) -> None:
        path = Path(artifact.path)
        try:
            self._client.store_artifact(
                self.claim.attempt,
                kind=artifact.kind,
                fence=self.claim.fence,
                trial=artifact.trial,
                epoch=artifact.epoch,
                iteration=artifact.iteration,
                content=path.read_bytes(),
            )
        except NoRoom as error:
            # Without a checkpoint a trial that is interrupted begins anew, and ends the same.
            # A snapshot is a result: it is sent again until there is room.
            if artifact.kind is not ArtifactKind.CHECKPOINT:
                raise
            logger.warning("%s: the checkpoint of trial %d: %s", self, artifact.trial, error)
        failpoint(f"agent.after_{artifact.kind}")
        path.unlink()

    def _deliver(self, call: Callable[[], object]) -> bool:
        """Make a call to the service, again and again while it is away.

        A service that is there and yet never takes this call would hold the attempt for ever,
        heartbeats keeping its lease alive: after a time that counts as a refusal.

        Returns:
            Whether it had its effect. If not, the attempt is abandoned or refused.

        Raises:
            Gone: The artifact it asks for is no longer there.
        """
        backoff = Backoff()
        began_at = time.monotonic()
        while not self._abandoned.is_set():
            try:
                call()
            except Unreachable as error:
                tried_seconds = time.monotonic() - began_at
                is_there = self._heard_at - began_at > self._max_offline_seconds / 2
                if tried_seconds > self._max_offline_seconds and is_there:
                    self._refuse(f"not taken for {tried_seconds:.0f} s: {error}")
                    return False
                pause_seconds = backoff.next_seconds(error.retry_after_seconds)
                logger.debug("%s: again in %.1f s: %s", self, pause_seconds, error)
                self._abandoned.wait(pause_seconds)
            except (Fenced, Unauthorized) as error:
                self.abandon(str(error))
            except Refused as error:
                self._refuse(str(error))
                return False
            else:
                self._heard_at = time.monotonic()
                return True
        return False
