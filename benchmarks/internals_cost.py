"""What measuring a model's internals costs, on the digits ConvNet.

    .venv/bin/python -m benchmarks.internals_cost [PAIRS [EPOCHS...]]

Trains the same setting with internals and without, one after the other and first in turns,
as the search steps train it (evaluations included), on one thread, and prints the ratio of
their CPU times with its 95 % interval, for each length of training. What is sampled while it
trains grows with it; the look at its units and at both modes when it ends does not, so short
trainings pay more of it. Both train to bit-equal losses, or it ends with an error. Exit code
1 where an interval does not lie below the target.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy import stats

from recipes.run import MemberSpec, RunSpec
from recipes.search.runs import INTERNALS_EVERY
from worker.data.data import TaskData, load_data
from worker.tasks.digits import DigitsConv
from worker.training.collecting import CollectingReporter
from worker.training.loop import train

TARGET = 1.05
"""Internals cost under 5 % of training time (the contract of the diagnoses)."""

CONFIDENCE = 0.95
FEWEST_PAIRS = 3
"""Below, an interval says nothing: it has no or one degree of freedom."""

LENGTHS = (5, 10, 20)
"""Epochs: the longest of the coarse search, and the shortest and longest of the fine one
(CS231n: 1 to 5, then more)."""

PARAMS = {"channels": 16, "activation": "relu", "lr": 0.05, "weight_decay": 1e-4}


@dataclass(frozen=True)
class Ratio:
    """A ratio of two costs.

    Attributes:
        value: The geometric mean of the pairs' ratios.
        low, high: Its interval, by Student's t on the logarithms.
        num_pairs: Pairs behind it.
    """

    value: float
    low: float
    high: float
    num_pairs: int


def ratio_of(with_seconds: Sequence[float], without_seconds: Sequence[float]) -> Ratio:
    """The ratio of paired costs, with its 95 % interval.

    The two of a pair are measured one after the other, so a machine that is slow for a while
    is slow for both; what is averaged is the logarithm, in which twice and half are as far
    from equal.

    Args:
        with_seconds: Of each pair, (P,).
        without_seconds: Of the same pairs, (P,).

    Raises:
        ValueError: Fewer than three pairs, unequal numbers, or a time that is not positive.
    """
    if len(with_seconds) != len(without_seconds):
        raise ValueError(
            f"with_seconds has {len(with_seconds)} values and without_seconds "
            f"{len(without_seconds)}; give the two of every pair"
        )
    if len(with_seconds) < FEWEST_PAIRS:
        raise ValueError(f"{len(with_seconds)} pairs; give at least {FEWEST_PAIRS}")
    if min(*with_seconds, *without_seconds) <= 0:
        raise ValueError("a time of 0 s or less was measured; train for more epochs")
    logs = [math.log(a / b) for a, b in zip(with_seconds, without_seconds, strict=True)]
    mean = statistics.fmean(logs)
    error = statistics.stdev(logs) / math.sqrt(len(logs))
    margin = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(logs) - 1)) * error
    return Ratio(math.exp(mean), math.exp(mean - margin), math.exp(mean + margin), len(logs))


def cpu_seconds(
    data: TaskData, num_epochs: int, internals_every: int | None
) -> tuple[float, tuple[float, ...]]:
    """CPU seconds of one training, and its train losses by iteration."""
    run = RunSpec(
        members=(MemberSpec(trial=0, params=dict(PARAMS), seed=0, data_seed=0),),
        epochs=num_epochs,
        evaluate=("train", "val"),
        internals_every=internals_every,
    )
    report = CollectingReporter()
    started = time.process_time()
    train(DigitsConv(), data, run, report)
    return time.process_time() - started, report.curve("loss").values


def measured_ratio(num_epochs: int, num_pairs: int) -> Ratio:
    """Train in pairs, the order turned at every pair, and compare.

    Raises:
        RuntimeError: The two of a pair trained to different losses.
    """
    data = load_data(DigitsConv(), torch.device("cpu"))
    seconds: dict[int | None, list[float]] = {INTERNALS_EVERY: [], None: []}
    for every in seconds:
        cpu_seconds(data, 1, every)
    for pair in range(num_pairs):
        losses = []
        for every in list(seconds) if pair % 2 == 0 else reversed(list(seconds)):
            taken, found = cpu_seconds(data, num_epochs, every)
            seconds[every].append(taken)
            losses.append(found)
        if losses[0] != losses[1]:
            raise RuntimeError("internals changed the training: its losses differ")
    return ratio_of(seconds[INTERNALS_EVERY], seconds[None])


def main(num_pairs: int = 20, *lengths: int) -> int:
    """The command; returns its exit code."""
    torch.set_num_threads(1)
    ratios = {epochs: measured_ratio(epochs, num_pairs) for epochs in lengths or LENGTHS}
    found = {
        "task": "digits ConvNet",
        "internals_every": INTERNALS_EVERY,
        "pairs": num_pairs,
        "target": TARGET,
        "lengths": [
            {
                "epochs": epochs,
                "ratio": round(ratio.value, 4),
                "interval_95": [round(ratio.low, 4), round(ratio.high, 4)],
            }
            for epochs, ratio in ratios.items()
        ],
    }
    print(json.dumps(found, indent=2))
    return int(any(ratio.high >= TARGET for ratio in ratios.values()))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
