"""Sevenstep's own run: a command on an installation that is up, and what it knew when."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.cells import ROOT
from benchmarks.time_to_target.reports import Report
from benchmarks.time_to_target.tasks import SEARCHED
from service.client import Client, NoService

COMMAND = (sys.executable, "-P", "-m", "recipes.cli")
SLOTS = 2
LOOK_SECONDS = 0.1
READY_SECONDS = 60.0
SETTLE_SECONDS = 5.0
"""A service that is up has been up for longer: what loads in a quiet moment has loaded."""
OVERTIME = 1.5
"""Of its time, after which a study is given up; nothing counts after its time anyway."""
BEST = """
    SELECT trial.value, trial.params FROM trial JOIN step_run ON step_run.id = trial.step_run_id
    WHERE step_run.number >= 4 AND trial.value IS NOT NULL
    ORDER BY trial.value DESC LIMIT 1
"""
"""What the trials of the search have come to, those that wait at a rung too. Read beside the
service, because asking it ten times a second would take it time."""
BEST_RUNNING = """
    SELECT curve_point.value, trial.params
    FROM trial JOIN step_run ON step_run.id = trial.step_run_id
        JOIN curve ON curve.trial_id = trial.id
        JOIN curve_point ON curve_point.curve_id = curve.id
    WHERE step_run.number >= 4 AND trial.value IS NULL
        AND curve.metric = 'accuracy' AND curve.split = 'val'
    ORDER BY curve_point.value DESC LIMIT 1
"""
"""Those that train now, after each of their epochs: a peer's epochs count as soon."""


@dataclass(frozen=True, slots=True)
class OwnRun:
    """One study, from the command on.

    Attributes:
        began: When the command was given, by the monotonic clock.
        reports: What it knew, as the service had stored it.
        serve_seconds: From ``serve`` to a worker with slots, before the command.
        end_seconds: From the command to its end.
        step_seconds: Seconds after the command at which each step was begun and judged.
        report: ``report.json``.
    """

    began: float
    reports: list[Report]
    serve_seconds: float
    end_seconds: float
    step_seconds: list[dict[str, Any]]
    report: dict[str, Any]


def run_sevenstep(task: str, *, seed: int, seconds: float) -> OwnRun:
    """Search a task with Sevenstep's whole recipe.

    Raises:
        RuntimeError: The command failed.
    """
    with tempfile.TemporaryDirectory(prefix="sevenstep-") as name:
        folder = Path(name)
        asked = time.monotonic()
        with _served(folder) as client:
            served = time.monotonic()
            time.sleep(SETTLE_SECONDS)
            watch = _Watch(folder / "sevenstep.db")
            words = [
                *(*COMMAND, "run", SEARCHED[task].path, "--json", "--seed", str(seed)),
                *("--budget", f"{seconds:g}s", "--data-dir", str(folder)),
            ]
            began, began_at = time.monotonic(), time.time()
            done = subprocess.run(
                words,
                env=_environment(),
                capture_output=True,
                text=True,
                check=False,
                timeout=OVERTIME * seconds + READY_SECONDS,
            )
            ended = time.monotonic()
            watch.stop()
            if done.returncode != 0:
                raise RuntimeError(f"sevenstep run ended with {done.returncode}: {done.stderr}")
            report = json.loads(done.stdout)
            steps = [
                {
                    "step": step.number,
                    "round": step.round,
                    "began": _since(step.started_at, began_at),
                    "judged": _since(step.finished_at, began_at),
                }
                for step in client.steps(report["id"])
            ]
    return OwnRun(began, watch.reports, served - asked, ended - began, steps, report)


def _since(moment: Any, began_at: float) -> float | None:
    return None if moment is None else round(moment.timestamp() - began_at, 2)


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SEVENSTEP_") or name == "SEVENSTEP_CIFAR10_DIR"
    }
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@contextmanager
def _served(folder: Path) -> Iterator[Client]:
    """An installation that is up, its worker registered."""
    process = subprocess.Popen(
        [
            *(*COMMAND, "serve", "--port", "0", "--slots", str(SLOTS), "--allow-task-files"),
            *("--data-dir", str(folder), "--exit-with-stdin"),
        ],
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with _client(folder) as client:
            yield client
    finally:
        process.terminate()
        process.wait()


def _client(folder: Path) -> Client:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            client = Client.from_server_file(folder)
            if any(worker.slots for worker in client.workers()):
                return client
            client.close()
        except NoService:
            pass
        time.sleep(LOOK_SECONDS)
    raise RuntimeError(f"no worker was there within {READY_SECONDS:.0f} s")


class _Watch:
    """Notes each rise of the best validation accuracy of a study's search."""

    def __init__(self, database: Path) -> None:
        self.reports: list[Report] = []
        self._database = database
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join()

    def _look(self) -> None:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as reader:
            while not self._stopping.wait(LOOK_SECONDS):
                found = [reader.execute(each).fetchone() for each in (BEST, BEST_RUNNING)]
                value, params = max(filter(None, found), default=(None, None))
                if value is None:
                    continue
                if not self.reports or value > self.reports[-1].accuracy:
                    self.reports.append(Report(time.monotonic(), value, json.loads(params), 0))
