"""An installation for a benchmark: ``serve`` with its worker, what it weighs and when it is up."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.cells import ROOT
from service.client import Client, NoService, Unreachable

COMMAND = (sys.executable, "-P", "-m", "recipes.cli")
DEADLINE_SECONDS = 60.0
LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Installation:
    """A service that is up, with its worker or without.

    Attributes:
        client: To it.
        pid: The service's process.
        ready_seconds: From the command until it answered.
        worker_seconds: From the command until its worker had registered; None without one.
    """

    client: Client
    pid: int
    ready_seconds: float
    worker_seconds: float | None


def environment() -> dict[str, str]:
    """This process's, without settings of Sevenstep's but where CIFAR-10 lies."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SEVENSTEP_") or name == "SEVENSTEP_CIFAR10_DIR"
    }
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@contextmanager
def installation(folder: Path, *, slots: int | None) -> Iterator[Installation]:
    """Start one, and end it with the block.

    Args:
        folder: Its data directory.
        slots: Of its worker; None: no worker.
    """
    words = ["--no-worker"] if slots is None else ["--slots", str(slots)]
    begun = time.monotonic()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [
                *(*COMMAND, "serve", *words, "--port", "0", "--allow-task-files"),
                *("--data-dir", str(folder), "--exit-with-stdin"),
            ],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            with _client(folder, process) as client:
                ready = time.monotonic() - begun
                while slots is not None and not any(each.slots for each in client.workers()):
                    _wait(process, begun)
                worker = None if slots is None else time.monotonic() - begun
                yield Installation(client, process.pid, ready, worker)
        finally:
            process.terminate()
            process.wait()


def _client(folder: Path, process: subprocess.Popen[bytes]) -> Client:
    begun = time.monotonic()
    while True:
        try:
            client = Client.from_server_file(folder)
            if client.is_sevenstep():
                return client
            client.close()
        except (NoService, Unreachable):
            pass
        _wait(process, begun)


def _wait(process: subprocess.Popen[bytes], begun: float) -> None:
    if process.poll() is not None:
        raise RuntimeError(f"the service ended with {process.returncode}")
    if time.monotonic() - begun > DEADLINE_SECONDS:
        raise TimeoutError(f"it was not up within {DEADLINE_SECONDS:.0f} s")
    time.sleep(LOOK_SECONDS)
