"""The agent's side of a slot process: start it, speak with it, notice its end."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from recipes.run import TaskRef
from recipes.wire import AttemptError
from worker.agent.devices import Device
from worker.slot.messages import (
    SLOT_MESSAGE,
    SLOTS_ON_DEVICE,
    STACKS_SIGNAL,
    UNREADABLE_EXIT,
    Command,
    LoadTask,
    SlotMessage,
    StartJob,
    TaskLoaded,
)
from worker.slot.signature import signature

SLOT_COMMAND = (sys.executable, "-P", "-m", "worker.slot.process")
"""-P: a ``worker.py`` in the folder the agent was started in must not take our place."""
SECRETS = frozenset(
    f"SEVENSTEP_{name}{how}"
    for name in ("TOKEN", "DATABASE_URL", "DATABASE_PASSWORD", "ADMIN_TOKEN", "WORKER_TOKEN")
    for how in ("", "_FILE")
)
TAIL_BYTES = 64 * 1024
"""How much of a process's last words is kept (notes: 64 KiB of stderr an attempt)."""
STDERR_SECONDS = 2.0
"""How long the last words of one that has ended are waited for: what it started, in a group of its
own, may hold their pipe open for ever."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exited:
    """The process is gone. ``returncode`` is negative for a signal, as subprocess has it."""

    returncode: int
    tail: str  # the last of what it wrote to standard error (and, by print, to output)
    unreadable: str | None = None  # why the agent ended it: it said what cannot be read

    @property
    def sentence(self) -> str:
        """How it ended, for people."""
        if self.returncode >= 0:
            return f"exit code {self.returncode}"
        try:
            name = signal.Signals(-self.returncode).name
        except ValueError:
            name = f"signal {-self.returncode}"
        if -self.returncode == signal.SIGKILL:
            return f"killed by {name}: by a person, or by the system because memory ran out"
        return f"killed by {name}"

    @property
    def is_misunderstanding(self) -> bool:
        """Whether one of the two sent what the other could not read."""
        return self.unreadable is not None or self.returncode == UNREADABLE_EXIT

    def error(self) -> AttemptError:
        """The end, as an attempt's error: a crash, unless the two did not understand each other.

        Then another process of this agent would not either: it is not worth another attempt.
        """
        if not self.is_misunderstanding:
            message = f"the slot process died: {self.sentence}"
            return AttemptError(kind="crashed", message=message, traceback=self.tail or None)
        return AttemptError(
            kind="error",
            message="the worker and its slot process do not understand each other;"
            " was Sevenstep updated while the worker ran? Start the worker again",
            traceback=self.unreadable or self.tail or None,
        )


class SlotProcess:
    """One child process that carries out jobs, one at a time, for one task.

    It starts loading its libraries at once. Its messages come through ``receive``, the
    last of them always an ``Exited``. ``send``, ``kill`` and ``close`` may be called
    from any thread. The child and all it started form a process group of their own,
    which dies with the child; the child dies with the agent, however that dies.
    """

    def __init__(self, device: Device, *, command: Sequence[str] = SLOT_COMMAND) -> None:
        self.task: TaskRef | None = None
        self._taking = threading.Lock()
        self._files: dict[str, str] = {}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=slot_environment(os.environ, device),
            start_new_session=True,  # a terminal's Ctrl-C is for the agent alone
        )
        self._messages: queue.Queue[SlotMessage | Exited] = queue.Queue(maxsize=1_000)
        self._sending = threading.Lock()
        self._reaped = False
        self._unreadable: str | None = None
        self._tail: deque[bytes] = deque()
        self._tailing = threading.Lock()  # of the tail: one reads it, another begins it anew
        self._readers = [
            threading.Thread(target=read, name=f"slot-{self.pid}-{read.__name__}", daemon=True)
            for read in (self._read_messages, self._read_stderr)
        ]
        for thread in self._readers:
            thread.start()
        self._waiter = threading.Thread(
            target=self._wait, name=f"slot-{self.pid}-wait", daemon=True
        )
        self._waiter.start()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the child was alive a moment ago."""
        return not self._reaped

    def serves(self, task: TaskRef) -> bool:
        """Whether this process can carry out a job of ``task``; it is that task's then.

        It can when it has had no task yet, or had the same one and none of the files the
        task was loaded from has changed since.
        """
        with self._taking:
            if self.task is None:
                self.task = task
        return self.task == task and all(
            signature(path) == seen for path, seen in self._files.items()
        )

    def prepare(self, task: TaskRef) -> None:
        """Have a child that has had no task load this one, for a job that will come."""
        with self._taking:
            if self.task is not None:
                return
            self.task = task
        self.send(LoadTask(task=task))

    def send(self, command: Command) -> None:
        """Give the child a command. One that is gone has its ``Exited`` waiting instead."""
        if isinstance(command, StartJob):
            self.task = command.job.task
            with self._tailing:
                self._tail.clear()
        line = command.model_dump_json().encode() + b"\n"
        assert self._process.stdin is not None
        with self._sending, contextlib.suppress(BrokenPipeError, ValueError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def receive(self, timeout_seconds: float | None = None) -> SlotMessage | Exited | None:
        """The child's next message; None when none came in time."""
        try:
            message = self._messages.get(timeout=timeout_seconds)
        except queue.Empty:
            return None
        return message

    def kill(self) -> None:
        """End the child and everything it started, at once."""
        if self._reaped:
            return  # the number may be somebody else's by now
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def dump_stacks(self) -> None:
        """Have the child write to standard error where each of its threads stands."""
        if not self._reaped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, STACKS_SIGNAL)

    def close(self) -> None:
        """End the child and wait for its end."""
        self.kill()
        while self._waiter.is_alive():
            self.receive(0.02)  # a full queue would keep the readers from their end

    def _read_messages(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                message = SLOT_MESSAGE.validate_json(line)
            except ValidationError as error:
                self._unreadable = f"not a message: {line[:200]!r}: {error}"
                logger.error("slot process %d: %s", self.pid, self._unreadable)
                self.kill()
                return
            if isinstance(message, TaskLoaded):
                self._files = {**self._files, **message.files}
            self._messages.put(message)

    def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as pipe:
            while chunk := os.read(pipe.fileno(), TAIL_BYTES):
                said = chunk.decode(errors="replace").rstrip()
                logger.debug("slot process %d: %s", self.pid, said)
                with self._tailing:
                    self._tail.append(chunk)
                    while sum(map(len, self._tail)) - len(self._tail[0]) > TAIL_BYTES:
                        self._tail.popleft()

    def _wait(self) -> None:
        # The group is killed before the child is reaped: until then its number is its own.
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self.kill()
        returncode = self._process.wait()
        self._reaped = True
        messages, stderr = self._readers
        messages.join()
        stderr.join(STDERR_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert self._process.stdin is not None
        with self._sending, contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        with self._tailing:
            tail = b"".join(self._tail)[-TAIL_BYTES:].decode(errors="replace")
        self._messages.put(Exited(returncode, tail, self._unreadable))


def slot_environment(environment: Mapping[str, str], device: Device) -> dict[str, str]:
    """What a slot process sees of the agent's environment.

    One thread a slot, so that numbers are bit-equal however many slots there are; its own
    device alone, and how many slots share that; output unbuffered, so that a crash keeps its
    last words; and no token and no database's password, which user code has no need of.
    """
    kept = {name: value for name, value in environment.items() if name not in SECRETS}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {
        **kept,
        **threads,
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": device.cuda,
        **({"CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if device.is_by_bus else {}),
        SLOTS_ON_DEVICE: str(device.num_slots),
    }
