"""The product's own processes, started, found, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import httpx2
import psutil

from recipes.study import StudyConfig
from service.client import Client, ClientError
from service.server import server_file
from service.server.server_file import ServerFile
from service.views.models import StudyReport, StudyView
from service.views.reports import comparable

Result = TypeVar("Result")
CHECKS = (1, 2, 3)
"""The steps that come before any search."""
ENDED = ("completed", "needs_action", "failed", "cancelled")

QUICK = {
    # Leases of half a second would lose attempts to a busy machine; two are lost in time.
    "SEVENSTEP_HEARTBEAT_SECONDS": "0.4",
    "SEVENSTEP_LEASE_SECONDS": "2",
    "SEVENSTEP_CHECKPOINT_SECONDS": "0.2",
    "SEVENSTEP_BATCH_SECONDS": "0.05",
    "SEVENSTEP_CONDUCTOR_TICK_SECONDS": "0.2",
}
"""Settings under which losing a worker takes seconds."""


SEVENSTEP = (sys.executable, "-P", "-m", "recipes.cli")
"""The product's command, in this interpreter."""

END_WITH_US = "--exit-with-stdin"
"""Every process that a test starts holds a pipe of the test's: a test that is cut off, however
that comes about, leaves none behind."""


def sevenstep(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = 60,
    prefix: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. ``prefix`` is a command that runs the rest of its line."""
    return subprocess.run(
        [*prefix, *SEVENSTEP, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
        env={**os.environ, **(environment or {})},
    )


@contextmanager
def serving(
    data_dir: Path, *options: str, worker: bool = False
) -> Iterator[tuple[subprocess.Popen[str], ServerFile]]:
    """A service, without a worker by default, ended afterwards if the test did not end it."""
    command = [*SEVENSTEP, "serve", *([] if worker else ["--no-worker"])]
    command += ["--port", "0", "--data-dir", str(data_dir)]
    process = subprocess.Popen(
        [*command, END_WITH_US, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, _wait_until_served(process, data_dir)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def _wait_until_served(process: subprocess.Popen[str], data_dir: Path) -> ServerFile:
    """What the service left once it answers."""

    def found() -> ServerFile | None:
        assert process.poll() is None, process.communicate()
        file = server_file.read(data_dir)
        if file is None or file.pid != process.pid:
            return None
        with Client(file.address, file.token) as client:
            return file if client.is_sevenstep() else None

    return wait_for(found, seconds=30, what="the service")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(
    condition: Callable[[], Result | None],
    *,
    seconds: float = 60.0,
    every: float = 0.02,
    what: str = "",
) -> Result:
    """The condition's first true result. Raises TimeoutError naming what did not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(every)
    raise TimeoutError(f"{what or condition} did not come within {seconds} s")


class Outcome(NamedTuple):
    """What two studies that should be equal share, bit for bit."""

    report: dict[str, Any]
    curves: list[object]
    """Every point of every trial, by its number."""


class Installation:
    """One data directory, and the service that runs on it. A context manager.

    Args:
        data_dir: Need not be there yet.
        slots: Of the local worker.
        worker: Whether there is a local worker.
        environment: More of it, for every process.
        quick: Whether losing a worker takes seconds; else the product's own settings hold.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        slots: int = 1,
        worker: bool = True,
        environment: Mapping[str, str] | None = None,
        quick: bool = True,
    ) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.slots = slots
        self.worker = worker
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("SEVENSTEP_")},
            "SEVENSTEP_FUSE": "0",  # see tests/conftest.py
            **(QUICK if quick else {}),
            **(environment or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data_dir.parent / f"{data_dir.name}.service.log"
        self._agents: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Installation:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for agent in self._agents:
            agent.kill()
            _wait_for_end(agent)
        if self.process is not None:
            self.process.terminate()
            try:
                _wait_for_end(self.process, seconds=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                _wait_for_end(self.process)

    def start(self) -> None:
        """Start the service and wait until it answers."""
        command = [*SEVENSTEP, "serve", "--port", str(self.port), "--allow-task-files"]
        command += ["--data-dir", str(self.data_dir), END_WITH_US]
        command += ["--slots", str(self.slots)] if self.worker else ["--no-worker"]
        with self.log.open("ab") as log:
            self.process = _started(command, self.environment, log)
        wait_for(self._is_ready, what=f"the service (see {self.log})")

    def wait_until_announced(self) -> None:
        """Wait until the start is over: the service has told people where it is."""
        wait_for(lambda: "\nOpen " in self.log.read_text(), what=f"an address in {self.log}")

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"the service ended: {self.log.read_text()[-2000:]}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                pass
        except OSError:
            return False
        with Client(self.address, "") as client:
            return client.is_sevenstep()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return str(json.loads((self.data_dir / "server.json").read_text())["token"])

    def client(self) -> Client:
        return Client(self.address, self.token, patience_seconds=0)

    def add_agent(
        self, home: Path, *, slots: int = 1, name: str = "elsewhere"
    ) -> subprocess.Popen[bytes]:
        """Start an agent as another machine would: own home, address and token alone."""
        home.mkdir(parents=True, exist_ok=True)
        environment = {
            **self.environment,
            "HOME": str(home),
            "SEVENSTEP_DATA_DIR": str(home / "data"),
            "SEVENSTEP_TOKEN": self.token,
        }
        command = [*SEVENSTEP, "worker", "--server", self.address, "--slots", str(slots)]
        with (home / "agent.log").open("ab") as log:
            agent = _started([*command, "--name", name, END_WITH_US], environment, log)
        self._agents.append(agent)
        return agent

    def stop_agents(self, *, but: Collection[int]) -> None:
        """End the added agents in order, except those with these process ids."""
        for agent in self._agents:
            if agent.pid not in but:
                agent.terminate()
                _wait_for_end(agent, seconds=20)

    def agent(self) -> psutil.Process | None:
        """The local engine's agent."""
        return _child(self.process.pid if self.process else None, "worker")

    def slot(self) -> psutil.Process | None:
        """One of the agent's slot processes."""
        agent = self.agent()
        return _child(agent.pid if agent else None, "worker.slot.process")

    def kill(self, which: str) -> None:
        """SIGKILL ``service``, ``agent`` or ``slot``; the service is started again."""
        if which == "service":
            assert self.process is not None
            self.process.kill()
            _wait_for_end(self.process)
            self.start()
            return
        victim = wait_for(self.agent if which == "agent" else self.slot, what=which)
        victim.send_signal(signal.SIGKILL)

    def restart_if_dead(self) -> bool:
        """Start the service again when it has died; whether it had."""
        assert self.process is not None
        if self.process.poll() is None:
            return False
        _wait_for_end(self.process)
        self.start()
        return True

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of the SQLite file, read beside the service."""
        connection = sqlite3.connect(f"file:{self.data_dir / 'sevenstep.db'}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def dump(self, *, without: Collection[str] = ()) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table but those named."""
        tables = [
            str(name) for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        return {
            table: sorted(self.rows(f"SELECT * FROM {table}"), key=repr)
            for table in tables
            if table not in without
        }

    def http(self, **headers: str) -> httpx2.Client:
        """An HTTP client with the admin's token, as any program has it."""
        given = {"Authorization": f"Bearer {self.token}", **headers}
        return httpx2.Client(base_url=self.address, headers=given, trust_env=False, timeout=30.0)

    def create(self, task: str, *, steps: tuple[int, ...] = CHECKS, **fields: Any) -> str:
        """Create a study, of the first three steps unless told otherwise; its id.

        Args:
            task: As a study names it.
            steps: Which of the recipe's.
            fields: Of the study's config.
        """
        with self.client() as client:
            config = StudyConfig(name="study", task=task, steps=steps, **fields)
            return client.create(config).id

    def wait(self, study: str, *, seconds: float = 180.0) -> StudyReport:
        """The report, once the study has ended or needs a person."""
        with self.client() as client:
            wait_for(
                lambda: self._has_ended(client, study),
                seconds=seconds,
                every=0.1,
                what=f"study {study}",
            )
            return client.report(study)

    def _has_ended(self, client: Client, study: str) -> bool:
        if self.restart_if_dead():
            return False
        try:
            view: StudyView = client.study(study)
        except ClientError:
            return False  # it is dying or starting: ask again
        return view.state in ENDED

    def curves(self, study: str, num_trials: int) -> list[object]:
        """Every trial's curves, attempts joined, as the service answers them."""
        with self.http() as http:
            paths = [f"/api/v1/studies/{study}/trials/{n}/curves" for n in range(num_trials)]
            return [http.get(path).raise_for_status().json() for path in paths]

    def outcome(self, study: str, *, seconds: float = 180.0) -> Outcome:
        """What a study has come to, once it has completed."""
        report = self.wait(study, seconds=seconds)
        assert report.state == "completed", report.reason
        return Outcome(comparable(report), self.curves(study, len(report.trials)))

    def run(self, task: str, **fields: Any) -> Outcome:
        """Create a study and see it to its end."""
        return self.outcome(self.create(task, **fields))


def _started(
    command: Sequence[str], environment: Mapping[str, str], log: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def _wait_for_end(process: subprocess.Popen[bytes], *, seconds: float | None = None) -> None:
    """Wait, then let go of our end of its pipe. Raises subprocess.TimeoutExpired."""
    process.wait(seconds)
    assert process.stdin is not None
    process.stdin.close()


def _child(parent: int | None, word: str) -> psutil.Process | None:
    if parent is None:
        return None
    try:
        for child in psutil.Process(parent).children():
            if any(word in part for part in child.cmdline()):
                return child
    except psutil.NoSuchProcess:
        pass
    return None
