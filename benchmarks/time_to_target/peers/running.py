"""Runs one peer from its command to the end of its time."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.cells import ROOT
from benchmarks.time_to_target.peers.alone import ALONE, can_be_alone
from benchmarks.time_to_target.reports import Report, read

PYTHON = ROOT / "build" / "peers" / "bin" / "python"
"""The peers' own environment: ``make bench-peers`` sets it up."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool to compare with.

    Attributes:
        title: As the page names it.
        module: What is started, in ``benchmarks.time_to_target.peers``.
        processes: How many of it; each trains one setting at a time.
        alone: Whether it runs in a network namespace of its own.
    """

    title: str
    module: str
    processes: int
    alone: bool = False


PEERS = {
    "optuna": Peer("Optuna: TPE, Hyperband, 2 processes", "optuna_search", 2),
    "ray": Peer("Ray Tune: ASHA, OptunaSearch, actors used again", "ray_search", 1, alone=True),
    "random": Peer("plain random search, 2 processes", "random_search", 2),
}


def why_not(name: str) -> str | None:
    """Why this machine cannot run a peer; None where it can."""
    if not PYTHON.exists():
        return "the peers are not installed: make bench-peers does that"
    if PEERS[name].alone and not can_be_alone():
        return "it needs the right to make a network namespace (unshare --net)"
    return None


def run_peer(name: str, task: str, *, seed: int, seconds: float) -> tuple[float, list[Report]]:
    """When it was started, and everything it reported until its time was up.

    Raises:
        RuntimeError: It ended by itself and had reported nothing.
    """
    peer = PEERS[name]
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        words = [
            *(ALONE if peer.alone else ()),
            *(str(PYTHON), "-P", "-m", f"benchmarks.time_to_target.peers.{peer.module}"),
            *("--task", task, "--seed", str(seed), "--seconds", str(seconds)),
            *("--folder", folder),
        ]
        began = time.monotonic()
        with _group([[*words, "--member", str(each)] for each in range(peer.processes)]) as group:
            time.sleep(max(0.0, began + seconds - time.monotonic()))
            died = [process.poll() for process in group]
        reports = read(Path(folder) / "reports")
    if not reports and None not in died:
        raise RuntimeError(f"{peer.title} reported nothing; its processes ended with {died}")
    return began, reports


@contextmanager
def _group(commands: Sequence[Sequence[str]]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that end with this block, and all that they started."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        processes += (
            subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            for command in commands
        )
        yield processes
    finally:
        for process in processes:
            _end(process.pid)
            process.wait()


def _end(session: int) -> None:
    """Kill a session: Ray's processes are groups of their own in it."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                os.kill(int(status.parent.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue
