"""One slot's life: claim an attempt, carry it out, again."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from recipes.failpoint import failpoint
from recipes.logs import about
from recipes.run import JobKind, TaskRef
from recipes.wire import AttemptState, Claim, ClaimRequest
from worker.agent.attempt import AttemptRun
from worker.agent.backoff import Backoff
from worker.agent.client import ServiceClient, UnknownWorker, Unreachable
from worker.agent.devices import Device
from worker.agent.registration import Registration
from worker.agent.slot import Exited, SlotProcess
from worker.agent.snapshots import SnapshotCache
from worker.settings import AgentSettings
from worker.slot.messages import Ready

MOST_FAILED_STARTS = 3
"""Processes in a row that die before they are ready: then this machine cannot run any."""
QUICK_SECONDS = 0.2
"""A service that answers "nothing" faster than this is not asked again at once."""

logger = logging.getLogger(__name__)


class SlotError(Exception):
    """A slot cannot run processes; the message is one line for people."""


class SlotLoop:
    """A slot: a number, a device, a process, and at most one attempt at a time.

    ``work`` runs in the slot's own thread; the other methods are for other threads.

    Args:
        number: Which slot of the agent.
        device: What it trains on.
        client: The way to the service.
        registration: Who the agent is.
        settings: Periods.
        directory: A private folder for the slot's files with artifacts.
        command: How a slot process is started.
        stopping: Set when the agent leaves.
        foretell: Called with a task that this slot begins to describe: trials will follow.
    """

    def __init__(
        self,
        number: int,
        device: Device,
        *,
        client: ServiceClient,
        registration: Registration,
        settings: AgentSettings,
        directory: Path,
        command: Sequence[str],
        stopping: threading.Event,
        foretell: Callable[[TaskRef], None] = lambda task: None,
    ) -> None:
        self._number = number
        self._device = device
        self._client = client
        self._registration = registration
        self._settings = settings
        self._directory = directory
        self._command = command
        self._stopping = stopping
        self._foretell = foretell
        self._backoff = Backoff()
        self._changing = threading.Lock()
        self._run: AttemptRun | None = None
        self._idle = threading.Event()
        self._idle.set()
        directory.mkdir(mode=0o700)
        self._snapshots = SnapshotCache(directory / "snapshots")
        self._process = SlotProcess(device, command=command)

    def work(self) -> None:
        """Claim and carry out attempts until the agent leaves.

        Raises:
            SlotError: Processes cannot start on this machine.
            ServiceError: The service refuses this worker for good.
        """
        self._await_ready()
        while not self._stopping.is_set():
            claim = self._claim()
            if claim is not None:
                failpoint("agent.after_claim")
                self._carry_out(claim)

    def heartbeat(self) -> None:
        """Say that the running attempt, if there is one, is alive."""
        run = self._run
        if run is not None:
            with self._about(run.claim):
                run.heartbeat()

    def preempt(self) -> None:
        """Hand the running attempt back. ``stopping`` is set before."""
        with self._changing:
            if self._run is not None:
                self._run.stop(AttemptState.PREEMPTED)

    def prepare(self, task: TaskRef) -> None:
        """Load a task while there is nothing else to do; another slot is describing it."""
        self._process.prepare(task)

    def wait_idle(self, timeout_seconds: float) -> bool:
        """Wait for the running attempt's end; False when it took longer."""
        return self._idle.wait(max(0.0, timeout_seconds))

    def close(self, reason: str) -> None:
        """Abandon what is running and end the process. ``stopping`` is set before."""
        with self._changing:
            if self._run is not None:
                self._run.abandon(reason)
            process = self._process
        process.close()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def _about(self, claim: Claim) -> AbstractContextManager[None]:
        return about(study=claim.study, attempt=claim.attempt, slot=self._number)

    def _await_ready(self) -> None:
        num_failed = 0
        while not self._stopping.is_set():
            match self._process.receive(QUICK_SECONDS):
                case Ready(device=trains_on):
                    self._check_device(trains_on)
                    return
                case Exited() as end:
                    num_failed += 1
                    if num_failed == MOST_FAILED_STARTS:
                        raise SlotError(f"slot processes cannot start: {_last_line(end)}")
                    self._replace_process()
                case _:
                    pass

    def _check_device(self, trains_on: str) -> None:
        """Say when a GPU stands idle: the slot trains on the CPU, and nobody would know why."""
        if self._device.cuda and not trains_on.startswith("cuda"):
            logger.warning(
                "slot %d trains on the CPU: the worker's torch cannot use %s; install one that was"
                " built for CUDA, and a driver that is new enough for it, or set"
                " CUDA_VISIBLE_DEVICES= (to nothing) to have a slot on each core",
                self._number,
                self._device.name,
            )

    def _claim(self) -> Claim | None:
        worker = self._registration.current().worker
        request = ClaimRequest(slot=self._number, wait_seconds=self._settings.claim_seconds)
        asked_at = time.monotonic()
        try:
            claim = self._client.claim(worker, request)
        except UnknownWorker:
            self._renew(worker)
            self._stopping.wait(self._backoff.next_seconds())
        except Unreachable as error:
            self._pause(error)
        else:
            self._backoff.reset()
            if claim is None and time.monotonic() - asked_at < QUICK_SECONDS:
                self._stopping.wait(QUICK_SECONDS)
            return claim
        return None

    def _renew(self, worker: str) -> None:
        if self._stopping.is_set():  # it is unknown because the agent said goodbye
            return
        try:
            self._registration.renew(stale=worker)
        except Unreachable as error:
            self._pause(error)

    def _pause(self, error: Unreachable) -> None:
        pause_seconds = self._backoff.next_seconds(error.retry_after_seconds)
        logger.debug("slot %d: again in %.1f s: %s", self._number, pause_seconds, error)
        self._stopping.wait(pause_seconds)

    def _carry_out(self, claim: Claim) -> None:
        if not (self._process.alive and self._process.serves(claim.job.task)):
            self._replace_process(claim.job.task)
        if claim.job.kind is JobKind.DESCRIBE:
            self._foretell(claim.job.task)
        run = AttemptRun(
            claim,
            self._client,
            self._process,
            directory=self._directory,
            snapshots=self._snapshots,
            checkpoint_seconds=self._settings.checkpoint_seconds,
            batch_seconds=self._settings.batch_seconds,
            grace_seconds=self._settings.grace_seconds,
            max_offline_seconds=self._registration.current().max_offline_seconds,
            stall_seconds=self._settings.stall_seconds,
        )
        with self._changing:
            self._run = run
            self._idle.clear()
            if self._stopping.is_set():
                run.stop(AttemptState.PREEMPTED)
        try:
            with self._about(claim):
                run.carry_out()
        finally:
            with self._changing:
                self._run = None
                self._idle.set()
            with contextlib.suppress(FileNotFoundError):  # the agent has left, folder and all
                for file in self._directory.iterdir():
                    if file.is_file():
                        file.unlink()
                self._snapshots.trim()
        if not run.leaves_clean_process:
            self._replace_process()

    def _replace_process(self, task: TaskRef | None = None) -> None:
        """Start another process; one for a task has it from the beginning, and loads no other."""
        self._process.close()
        with self._changing:  # a process started now would be nobody's to close
            if self._stopping.is_set():
                return
            process = SlotProcess(self._device, command=self._command)
            process.task = task
            self._process = process


def _last_line(end: Exited) -> str:
    if end.is_misunderstanding:
        return end.error().message
    lines = [line for line in end.tail.splitlines() if line.strip()]
    return lines[-1].strip() if lines else end.sentence
