"""The service as it is shipped, and attempts for a load to write for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import text

from benchmarks.ingest.batches import Target
from service.client import Client
from service.database.engine import Database
from service.server import server_file
from service.settings import Settings
from tests.postgres import PostgresServer
from tests.service_tests.support import Bench

READY_SECONDS = 30.0
SERVE = (
    *(sys.executable, "-P", "-m", "recipes.cli", "serve"),
    *("--no-worker", "--port", "0", "--exit-with-stdin"),
)
ENVIRONMENT = {
    "SEVENSTEP_LEASE_SECONDS": "86400",  # nobody renews the leases here
    "SEVENSTEP_MAX_POINTS_REQUESTS_PER_SECOND": "0",  # one connection stands for many workers
}
"""Where the service's settings are not the shipped ones."""


@dataclass
class Served:
    """A running service and what there is to write for.

    Attributes:
        database: A connection of ours to its database.
        targets: Attempts that are held, each with one trial, all of one study.
        process: The service's.
    """

    database: Database
    targets: list[Target]
    process: psutil.Process

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, _, port = self.targets[0].address.partition(":")
        return host, int(port)

    def cpu_seconds(self) -> float:
        """Of the service's process so far, user and system."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def stored(self) -> tuple[int, float]:
        """How many points there are, and the sum of their values."""
        with self.database.read() as session:
            count, total = session.execute(
                text("SELECT count(*), coalesce(sum(value), 0) FROM curve_point")
            ).one()
        return int(count), float(total)


@contextmanager
def served(kind: str, num_attempts: int) -> Iterator[Served]:
    """A service on a fresh database with attempts under way.

    Args:
        kind: ``sqlite`` or ``postgres``.
        num_attempts: How many.
    """
    folder = Path(tempfile.mkdtemp(prefix="sevenstep-ingest-"))
    server = PostgresServer.start(durable=True) if kind == "postgres" else None
    try:
        url = server.empty_database() if server else f"sqlite:///{folder / 'sevenstep.db'}"
        settings = Settings(data_dir=folder, database_url=url, lease_seconds=86_400.0)
        database = Database(url)
        database.upgrade()
        targets = _attempts(Bench(database, settings), num_attempts)
        with _process(folder, url) as (process, file):
            address = file.address.removeprefix("http://")
            yield Served(
                database,
                [Target(address, *each) for each in targets],
                psutil.Process(process.pid),
            )
        database.dispose()
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _attempts(bench: Bench, count: int) -> list[tuple[str, int, int, str]]:
    bench.planned([1] * count)
    worker = bench.worker()
    made = []
    for slot in range(count):
        claim = bench.must_claim(worker, slot)
        assert claim.job.run is not None
        made.append((claim.attempt, claim.job.run.members[0].trial, claim.fence, claim.token))
    return made


@contextmanager
def _process(
    folder: Path, url: str
) -> Iterator[tuple[subprocess.Popen[bytes], server_file.ServerFile]]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SEVENSTEP_")}
    process = subprocess.Popen(
        [*SERVE, "--data-dir", str(folder)],
        env={**environment, **ENVIRONMENT, "SEVENSTEP_DATABASE_URL": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process, _ready(process, folder)
    finally:
        process.terminate()
        process.wait(20)
        assert process.stdin is not None
        process.stdin.close()


def _ready(process: subprocess.Popen[bytes], folder: Path) -> server_file.ServerFile:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"serve ended with {process.returncode}")
        file = server_file.read(folder)
        if file is not None and file.pid == process.pid:
            with Client(file.address, file.token) as client:
                if client.is_sevenstep():
                    return file
        time.sleep(0.02)
    raise TimeoutError(f"serve did not answer within {READY_SECONDS:.0f} s")
