"""One cell: a tool searches a task once, and its choice is trained again."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

from benchmarks.harness.cells import Measured
from benchmarks.time_to_target.own import run_sevenstep
from benchmarks.time_to_target.peers.running import run_peer
from benchmarks.time_to_target.plain import test_accuracy
from benchmarks.time_to_target.reports import best_so_far
from benchmarks.time_to_target.tasks import EPOCHS, SEARCHED, one_thread

OWN = "sevenstep"
RETRAIN_SEEDS = (90_001, 90_002, 90_003)
"""That no search has used."""
PROCESSES = 2


def measure(tool: str, task: str, *, seed: int, seconds: float, retrains: bool) -> Measured:
    """Rises of the best so far, and the test accuracies of the setting that was chosen.

    A peer's choice is the setting of its best report within the time; Sevenstep's is the one
    its report names.

    Args:
        tool: ``sevenstep`` or a peer's name.
        retrains: Whether to train the choice again.
    """
    measured: Measured
    params: Mapping[str, Any]
    if tool == OWN:
        run = run_sevenstep(task, seed=seed, seconds=seconds)
        best = run.report["best"]
        measured = {
            "rises": best_so_far(run.reports, began=run.began, ends=run.began + seconds),
            "serve_seconds": run.serve_seconds,
            "end_seconds": run.end_seconds,
            "steps": run.step_seconds,
            "trials": len(run.report["trials"]),
        }
        if best is None:
            raise RuntimeError(f"{task}, seed {seed}: the study ended without a best setting")
        params, num_epochs = best["params"], best["epochs"] or EPOCHS
    else:
        began, reports = run_peer(tool, task, seed=seed, seconds=seconds)
        within = [each for each in reports if each.at <= began + seconds]
        measured = {
            "rises": best_so_far(within, began=began, ends=began + seconds),
            "first_seconds": within[0].at - began if within else None,
            "epochs": len(within),
        }
        chosen = max(within, key=lambda each: each.accuracy, default=None)
        params, num_epochs = {} if chosen is None else chosen.params, EPOCHS
    measured |= {"params": params, "test": []}
    if retrains and params:
        measured["test"] = _retrained(task, params, num_epochs)
    return measured


def _retrained(task: str, params: Mapping[str, Any], num_epochs: int) -> list[float]:
    """Test accuracies over seeds, a process each: they inherit the images that are loaded."""
    one_thread()
    train = partial(test_accuracy, SEARCHED[task].task(), params, num_epochs=num_epochs)
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("fork")) as pool:
        runs = [pool.submit(train, seed=seed) for seed in RETRAIN_SEEDS]
        return [run.result() for run in runs]
