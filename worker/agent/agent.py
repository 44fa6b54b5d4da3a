"""The agent: asks the service for attempts and has slot processes carry them out."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

from recipes.run import TaskRef
from recipes.wire import RegisterAnswer, RegisterRequest
from worker.agent.backoff import Backoff
from worker.agent.client import (
    Refused,
    ServiceClient,
    ServiceError,
    Unauthorized,
    UnknownWorker,
    Unreachable,
)
from worker.agent.devices import Device
from worker.agent.home import AgentFolder
from worker.agent.registration import Registration
from worker.agent.slot import SLOT_COMMAND
from worker.agent.slot_loop import SlotError, SlotLoop
from worker.settings import MAKE_TOKEN, AgentSettings

JOIN_SECONDS = 0.5
"""How long slots may take to notice that the agent has said goodbye, or closed them."""

logger = logging.getLogger(__name__)


class AgentError(Exception):
    """The agent cannot go on; the message is one line for people."""


class Agent:
    """Registers with a service, then claims, runs and finishes attempts until told to stop.

    One thread a slot claims and carries out; one more sends all heartbeats, so that no
    training, however busy, delays them. Slot processes start, and load their libraries,
    before the first contact.

    Args:
        settings: Periods and names.
        client: The way to the service.
        devices: The device of each slot.
        folder: The agent's private folder.
        slot_command: How a slot process is started.
    """

    def __init__(
        self,
        settings: AgentSettings,
        client: ServiceClient,
        devices: Sequence[Device],
        folder: AgentFolder,
        *,
        slot_command: Sequence[str] = SLOT_COMMAND,
    ) -> None:
        self._settings = settings
        self._client = client
        self._registration = Registration(
            client,
            RegisterRequest(
                name=settings.worker_name,
                slots=len(devices),
                devices=tuple(device.name for device in devices),
                version=version("sevenstep"),
            ),
            folder,
        )
        self._stopping = threading.Event()
        self._left = threading.Event()
        # Unlike an event's, this queue's put may interrupt its own get: signal handlers use it.
        self._ends: queue.SimpleQueue[float | AgentError] = queue.SimpleQueue()
        self._slots = [
            SlotLoop(
                number,
                device,
                client=client,
                registration=self._registration,
                settings=settings,
                directory=folder.path / f"slot-{number}",
                command=slot_command,
                stopping=self._stopping,
                foretell=self._prepare,
            )
            for number, device in enumerate(devices)
        ]

    def run(self) -> None:
        """Work until ``stop``.

        Raises:
            AgentError: The service cannot be reached or refuses this worker, or slot
                processes cannot start on this machine.
        """
        threads: list[threading.Thread] = []
        try:
            first = self._first_contact()
            logger.info(
                "worker %s (%s) at %s, %d slots: %s",
                first.worker,
                self._settings.worker_name,
                self._client.server,
                len(self._slots),
                ", ".join(self._registration.request.devices),
            )
            threads += [self._start(slot.work) for slot in self._slots]
            self._start(self._beat)
            end = self._ends.get()
            if isinstance(end, AgentError):
                self._leave(threads, within_seconds=self._settings.grace_seconds)
                raise end
            self._leave(threads, within_seconds=end)
        finally:
            self._stopping.set()
            for slot in self._slots:
                slot.close("the agent leaves")
            _join(threads, within_seconds=JOIN_SECONDS)

    def stop(self, *, within_seconds: float) -> None:
        """Hand back what is running, say goodbye, and let ``run`` return in about that time.

        Safe in signal handlers.
        """
        self._ends.put(within_seconds)

    def kill(self) -> None:
        """End all slot processes at once; what they ran is lost."""
        for slot in self._slots:
            slot.kill()

    def _first_contact(self) -> RegisterAnswer:
        give_up_at = time.monotonic() + self._settings.connect_seconds
        backoff = Backoff()
        server = self._client.server
        while True:
            try:
                return self._registration.first()
            except Unreachable as error:
                if time.monotonic() >= give_up_at:
                    raise AgentError(f"{error}; is `sevenstep serve` running there?") from error
                time.sleep(backoff.next_seconds(error.retry_after_seconds))
            except Unauthorized as error:
                raise AgentError(
                    f"{server} did not accept the token ({error}); make one where the service"
                    f" runs with `{MAKE_TOKEN}`, and set SEVENSTEP_TOKEN to what it prints"
                ) from error
            except Refused as error:
                cure = "give the address that `sevenstep serve` printed"
                raise AgentError(f"{server} took no worker ({error}); {cure}") from error

    def _start(self, work: Callable[[], None]) -> threading.Thread:
        """A thread whose unexpected end stops the agent instead of passing unseen."""

        def guarded() -> None:
            try:
                work()
            except (ServiceError, SlotError) as error:
                self._ends.put(AgentError(str(error)))
            except Exception as error:
                logger.exception("the agent is broken")
                self._ends.put(AgentError(f"the agent is broken: {error!r}"))

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def _prepare(self, task: TaskRef) -> None:
        """Have the slots that never had a task load this one: its trials come next."""
        for slot in self._slots:
            slot.prepare(task)

    def _beat(self) -> None:
        """Send all heartbeats, until the agent has left: attempts that stop still live."""
        while not self._left.wait(self._registration.current().heartbeat_seconds):
            worker = self._registration.current().worker
            try:
                self._client.worker_heartbeat(worker)
            except UnknownWorker:
                self._renew(worker)
            except Unreachable as error:
                logger.warning("worker %s: no heartbeat: %s", worker, error)
            for slot in self._slots:
                slot.heartbeat()

    def _renew(self, worker: str) -> None:
        if self._stopping.is_set():
            return
        try:
            self._registration.renew(stale=worker)
        except Unreachable as error:
            logger.warning("worker %s: not registered again: %s", worker, error)

    def _leave(self, threads: Sequence[threading.Thread], *, within_seconds: float) -> None:
        deadline = time.monotonic() + within_seconds
        self._stopping.set()
        for slot in self._slots:
            slot.preempt()
        for slot in self._slots:
            slot.wait_idle(deadline - time.monotonic())
        self._left.set()
        try:
            self._registration.goodbye()
        except ServiceError as error:
            logger.warning("left without a goodbye: %s", error)
        _join(threads, within_seconds=JOIN_SECONDS)  # a claim answered just now is handed back


def _join(threads: Sequence[threading.Thread], *, within_seconds: float) -> None:
    give_up_at = time.monotonic() + within_seconds
    for thread in threads:
        thread.join(max(0.0, give_up_at - time.monotonic()))
