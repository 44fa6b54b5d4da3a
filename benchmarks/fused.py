"""What training trials together gains over training them one by one, and what may do so.

    .venv/bin/python -m benchmarks.fused [rounds]
    .venv/bin/python -m benchmarks.fused modules

The first trains the same trials in both ways, in as many processes (one thread each), round
after round in turn, and prints the median ratio of the wall times with its smallest and
largest. One by one is our own loop with torch's native fused optimisers; metrics of every
iteration, internals every 50 and an evaluation after every epoch are on both times. How
many train together is what the product measures and chooses by itself, as in a study: where
it would train them one by one, that is all that is printed. Last comes the smallest ratio of
those that it would train together: training together should never lose.

The CIFAR-10 case needs SEVENSTEP_CIFAR10_DIR; without it random images of its shape stand in.
The second prints which modules are admitted, and why others are not.
"""

from __future__ import annotations

import multiprocessing as mp
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Barrier
from typing import Any

import torch

from benchmarks.fused_tasks import (
    DroppedOut,
    Large,
    Measured,
    Normed,
    Sequences,
    two_layer_net,
)
from recipes import Categorical, Task
from recipes.fusing import Fusing
from recipes.run import MemberSpec, RunSpec
from recipes.space import SearchSpace
from worker.data.data import load_data
from worker.describe.checks.attributes import search_space
from worker.fused.admission import Admission
from worker.fused.measuring import measure_fusing
from worker.fused.train import train_together
from worker.slot.freed_memory import keep_freed_memory
from worker.tasks.digits import DigitsConv, DigitsMLP
from worker.training.collecting import CollectingReporter
from worker.training.loop import train

ROUNDS = 7
TRIALS = 32
"""Of learning rates of their own, as a coarse search has them, shared out over the processes."""


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    name: str
    make: Callable[[], Task]
    params: dict[str, Any]
    length: dict[str, int]
    processes: int
    wanted: float | None = None
    trials: int = TRIALS
    repeats: bool = False  # each with a seed and an order of its own, as finalists have them


ADAMW = {"optimizer": "adamw", "lr": 1e-3}
CASES = (
    Case("MLP-128, batch 64, AdamW", DigitsMLP, {**ADAMW, "hidden": 128}, {"epochs": 8}, 2, 1.7),
    Case(
        "small ConvNet, batch 64, AdamW",
        DigitsConv,
        {**ADAMW, "batch_size": 64},
        {"epochs": 4},
        2,
        1.2,
    ),
    Case(
        "CIFAR-10 two-layer net, batch 200",
        two_layer_net,
        {"batch_size": 200},
        {"epochs": 1},
        2,
        1.5,
    ),
    Case(
        "tiny MLP, batch 16, AdamW, one core",
        DigitsMLP,
        {**ADAMW, "hidden": 32, "batch_size": 16},
        {"epochs": 3},
        1,
        5.0,
    ),
    Case(
        "learning rate finder, 16 x 100, one core",
        DigitsMLP,
        {"hidden": 128},
        {"iterations": 100},
        1,
        1.8,
        trials=16,
    ),
    Case(
        "repeats: own seeds and orders, one core",
        DigitsMLP,
        {"hidden": 64},
        {"epochs": 4},
        1,
        trials=12,
        repeats=True,
    ),
    Case("dropout, one core", DroppedOut, {}, {"epochs": 3}, 1, trials=16),
    Case("own metrics, one core", Measured, {"hidden": 64}, {"epochs": 3}, 1, trials=16),
    Case("batch norm, one core", Normed, {}, {"epochs": 2}, 1, trials=16),
    Case("embedding and attention, one core", Sequences, {}, {"epochs": 2}, 1, trials=16),
    Case("larger MLP, batch 256", Large, {"batch_size": 256}, {"epochs": 6}, 1, trials=8),
)
LEAST = 0.95
"""Times as fast as one by one that trials which train together should never fall below."""


def main(num_rounds: int = ROUNDS) -> None:
    """Print the table, and the smallest ratio of what is trained together."""
    print(f"{'case':40} together  ratio  (smallest to largest of {num_rounds})  wanted")
    admitted: dict[str, float] = {}
    for case in CASES:
        chunk, ratios = measure(case, num_rounds)
        wanted = "" if case.wanted is None else f"{case.wanted:.1f}x"
        if not ratios:
            print(f"{case.name:40} {'alone':>8}  {'':25}  {wanted}", flush=True)
            continue
        middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
        admitted[case.name] = middle
        print(
            f"{case.name:40} {chunk:>8}  {middle:.2f}x  ({low:.2f} to {high:.2f})  {wanted}",
            flush=True,
        )
    if admitted:
        name = min(admitted, key=lambda each: admitted[each])
        print(
            f"smallest ratio of {len(admitted)} cases: {admitted[name]:.2f}x ({name}),"
            f" which should never fall below {LEAST}x"
        )


def measure(case: Case, num_rounds: int) -> tuple[int, list[float]]:
    """How many train together, and each round's seconds one by one over those together.

    No rounds where trials would train one by one. What it gains is measured once, while nothing
    else runs, as it is when a study's task is described.
    """
    fusing = _fusing(case)
    if not fusing.is_worth(case.trials):
        return 1, []
    context = mp.get_context("spawn")
    barrier = context.Barrier(case.processes + 1)
    work = (CASES.index(case), num_rounds, barrier, fusing.of_run)
    processes = [context.Process(target=_work, args=work) for _ in range(case.processes)]
    for process in processes:
        process.start()
    barrier.wait()  # they have warmed up
    ratios = [_round(barrier) for _ in range(num_rounds)]
    for process in processes:
        process.join()
    return fusing.chunk, ratios


def _fusing(case: Case) -> Fusing:
    """What the product would find out and keep."""
    torch.set_num_threads(1)
    keep_freed_memory()  # as a slot does
    task = case.make()
    space = SearchSpace(
        {name: Categorical([value]) for name, value in _params(case, task).items()}
    )
    return measure_fusing(task, load_data(task, torch.device("cpu")), space)


def _params(case: Case, task: Task) -> dict[str, Any]:
    return {**search_space(task).center(), **case.params}


def _round(barrier: Barrier) -> float:
    """Seconds one by one over seconds together."""
    seconds = []
    for _ in ("one by one", "together"):
        barrier.wait()
        started = time.perf_counter()
        barrier.wait()
        seconds.append(time.perf_counter() - started)
    return seconds[0] / seconds[1]


def _work(index: int, num_rounds: int, barrier: Barrier, of_run: dict[str, int | None]) -> None:
    """One process: its trials in both ways, in turn, in step with the others."""
    torch.set_num_threads(1)
    keep_freed_memory()
    case = CASES[index]
    task = case.make()
    data = load_data(task, torch.device("cpu"))
    params = _params(case, task)
    count = case.trials // case.processes
    run = RunSpec(
        members=tuple(
            MemberSpec(
                trial=trial,
                params={
                    **params,
                    "lr": params["lr"] * (1 if case.repeats else 2 ** (trial / case.trials)),
                },
                seed=trial if case.repeats else 0,
                data_seed=trial if case.repeats else 0,
            )
            for trial in range(count)
        ),
        evaluate=("train", "val"),
        internals_every=50,
        **of_run,
        **case.length,
    )
    admission = Admission()
    together = partial(train_together, admission=admission)
    for way in (train, together):  # loads what torch loads, and asks for admission
        way(task, data, run, CollectingReporter())
    barrier.wait()
    for _ in range(num_rounds):
        for way in (train, together):
            barrier.wait()
            way(task, data, run, CollectingReporter())
            barrier.wait()


def modules() -> None:
    """Print which modules train together, and why others do not."""
    from benchmarks.fused_modules import MODULES, reason_against

    for name in MODULES:
        reason = reason_against(name)
        print(f"{name:32} {'together' if reason is None else 'alone: ' + reason}")


if __name__ == "__main__":
    if sys.argv[1:] == ["modules"]:
        modules()
    else:
        main(*map(int, sys.argv[1:]))
