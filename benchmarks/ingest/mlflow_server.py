"""MLflow's tracking server, for the same points: from an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.harness.cells import ROOT, Measured
from benchmarks.ingest.batches import mlflow_batches
from benchmarks.ingest.load import send_from_process
from benchmarks.ingest.measure import rates

PEERS = ROOT / "build" / "peers" / "bin" / "python"
READY_SECONDS = 120.0


def peers_missing() -> str | None:
    """What to say where there is no environment of the peers; None where there is one."""
    return None if PEERS.exists() else f"{PEERS.relative_to(ROOT)} is missing; make bench-peers"


def peers_version() -> str:
    """MLflow's version there."""
    asked = "from importlib.metadata import version; print(version('mlflow'))"
    return subprocess.check_output([PEERS, "-c", asked], text=True).strip()


@dataclass
class MlflowServer:
    """A running server with one worker process, and runs to write for.

    Attributes:
        address: As ``host:port``.
        store: Its SQLite file.
        runs: Their ids.
        process: Its first process.
    """

    address: str
    store: Path
    runs: list[str]
    process: psutil.Process

    def points(self, *, size: int, connections: int, count: int, first: int) -> Measured:
        """Every point sent once; arguments as of :func:`benchmarks.ingest.measure.points`.

        Raises:
            AssertionError: A point is lost or doubled.
        """
        there = self._stored()
        host, _, port = self.address.partition(":")
        runs = self.runs[:connections]
        loads = {"size": size, "count": count, "first": first}
        arguments = {"address": self.address, "runs": runs, **loads}
        load, cpu_seconds = send_from_process(
            (host, int(port)), mlflow_batches, arguments, self._cpu_seconds
        )
        num_points = connections * size * count
        stored = self._stored() - there
        assert stored == num_points, f"MLflow stored {stored} points of {num_points}"
        return rates(load, cpu_seconds, num_points)

    def _cpu_seconds(self) -> float:
        processes = [self.process, *self.process.children(recursive=True)]
        times = [each.cpu_times() for each in processes]
        return float(sum(each.user + each.system for each in times))

    def _stored(self) -> int:
        with closing(sqlite3.connect(self.store)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM metrics").fetchone()
        return int(count)


@contextmanager
def mlflow_served(num_runs: int) -> Iterator[MlflowServer]:
    """MLflow's server on a fresh SQLite file, with its own settings and one worker process."""
    folder = Path(tempfile.mkdtemp(prefix="mlflow-ingest-"))
    store = folder / "mlflow.db"
    port = _free_port()
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(PEERS, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
                *("--workers", "1", "--backend-store-uri", f"sqlite:///{store}"),
                *("--default-artifact-root", folder / "artifacts"),
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": "", "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    address = f"127.0.0.1:{port}"
    tree = psutil.Process(process.pid)
    try:
        _wait(process, address, log)
        experiment = _ask(address, "experiments/create", {"name": "ingest"})["experiment_id"]
        runs = [
            _ask(address, "runs/create", {"experiment_id": experiment})["run"]["info"]["run_id"]
            for _ in range(num_runs)
        ]
        yield MlflowServer(address, store, runs, tree)
    finally:
        for each in [*tree.children(recursive=True), tree]:
            each.kill()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"MLflow's server ended: {log.read_text()[-1000:]}")
        try:
            with urllib.request.urlopen(f"http://{address}/health", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"MLflow's server did not answer within {READY_SECONDS:.0f} s")


def _ask(address: str, path: str, body: object) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://{address}/api/2.0/mlflow/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
