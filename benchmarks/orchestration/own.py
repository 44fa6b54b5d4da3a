"""Sevenstep's own figures: cold start, trivial trials, and what its decisions take."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness.cells import Measured
from benchmarks.orchestration.installed import installation
from benchmarks.orchestration.memory import family, megabytes, unique_megabytes
from recipes.step import StepState
from recipes.study import SearchOptions, StudyConfig
from service.client import Client

SLOTS = 2
TRIALS = 64
SINGLES = 16
TASK = "benchmarks.orchestration.tasks:Trivial"
SETTLE_SECONDS = 3.0
"""After which what loads in a quiet moment has loaded."""


def cold_start() -> Measured:
    """``serve`` on an existing database: seconds until it answers, and its memory then."""
    with tempfile.TemporaryDirectory() as name:
        with installation(Path(name), slots=None):
            pass
        with installation(Path(name), slots=SLOTS) as found:
            ready = megabytes(found.pid)
            time.sleep(SETTLE_SECONDS)
            return {
                "ready_seconds": found.ready_seconds,
                "worker_seconds": found.worker_seconds,
                "ready_megabytes": ready,
                "settled_megabytes": megabytes(found.pid),
                "all_megabytes": unique_megabytes(family(found.pid)),
            }


def trivial_trials() -> Measured:
    """A search of trivial trials, and searches of one, in milliseconds a trial."""
    with (
        tempfile.TemporaryDirectory() as name,
        installation(Path(name), slots=SLOTS) as found,
    ):
        client = found.client
        _searched(client, 2)  # the slots load the task and torch's optimisers
        alone = [_searched(client, 1) for _ in range(SINGLES)]
        together = _searched(client, TRIALS, seed=1)
        return {
            "trial_milliseconds": 1000 * together["seconds"] / TRIALS,
            "single_milliseconds": sorted(1000 * each["seconds"] for each in alone),
            "peak_megabytes": megabytes(found.pid, "VmHWM"),
        }


def _searched(client: Client, num_trials: int, *, seed: int = 0) -> dict[str, Any]:
    """Step 4 alone, from its beginning to its verdict, without what its trials trained."""
    config = StudyConfig(
        name="trivial",
        task=TASK,
        seed=seed,
        steps=(4,),
        autopilot=False,  # a best setting at an edge would make another pass
        search=SearchOptions(coarse_trials=num_trials, coarse_epochs=1, early_discard=False),
    )
    study = client.create(config)
    client.wait(study.id, timeout_seconds=300)
    step = client.steps(study.id)[0]
    assert step.state is not StepState.FAILED, step.sentence
    assert step.started_at is not None
    assert step.finished_at is not None
    trials = [each for each in client.trials(study.id) if each.pass_number == 1]
    assert len(trials) == num_trials
    trained = sum(trial.seconds or 0.0 for trial in trials)
    whole = (step.finished_at - step.started_at).total_seconds()
    return {"seconds": whole - trained / min(SLOTS, num_trials)}
