"""How long the rules on curves take, from measured numbers to findings.

    .venv/bin/python -m benchmarks.rule_speed [REPEATS]

Reads two made-up studies: one trial of 200 epochs with 20,000 losses by iteration, and 1,000
trials of 20 epochs with 400 each, at rates from far too low to far too high. What is timed is
all of step 6 but its report: the series are reduced anew, every rule is asked of every trial,
and the leading setting's findings are counted over the others. Prints medians of repeats, in CPU
and in wall time, as JSON; exit code 1 where a median of CPU time does not lie below its target.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recipes.evidence.study_curves import study_curves
from recipes.finding import Finding
from recipes.readings import StudyReading
from recipes.step import StepContext, TrialResult
from tests.recipes_tests.builders import context
from tests.recipes_tests.curve_builders import read_trial

REPEATS = 7


@dataclass(frozen=True)
class Size:
    """A study to read.

    Attributes:
        target_seconds: What issue 5 allows for it.
    """

    name: str
    num_trials: int
    num_epochs: int
    num_iterations: int
    target_seconds: float


SIZES = (
    Size("one long trial", 1, 200, 20_000, 0.05),
    Size("a large study", 1_000, 20, 400, 5.0),
)

START_LOSS = math.log(10)
GOOD_RATE = 0.1
BATCH_NOISE = 0.1
EVALUATION_NOISE = 0.01
"""Sd over the level, by iteration and by epoch."""


def made_up_trial(number: int, size: Size, rng: np.random.Generator) -> TrialResult:
    """A trial whose loss falls as fast and as far as its rate lets it."""
    lr = float(10 ** rng.uniform(-4, 1))
    off = abs(math.log10(lr / GOOD_RATE))
    floor = START_LOSS * min(0.9, 0.02 + 0.2 * off)
    half_life = 1.0 + 2.0 * off
    epochs = np.arange(size.num_epochs + 1, dtype=np.float64)

    def course(times: NDArray[np.float64], lowest: float, noise: float) -> NDArray[np.float64]:
        level = lowest + (START_LOSS - lowest) * 0.5 ** (times / half_life)
        return level * (1 + noise * rng.normal(size=len(times)))

    iterations = np.linspace(0, size.num_epochs, size.num_iterations)
    train = course(epochs, floor, EVALUATION_NOISE)
    val = course(epochs, 1.3 * floor, EVALUATION_NOISE)
    return read_trial(
        number,
        train_loss=train,
        val_loss=val,
        train=np.clip(1 - train / START_LOSS * 0.9, 0, 1),
        val=np.clip(1 - val / START_LOSS * 0.9, 0, 1),
        losses=course(iterations, floor, BATCH_NOISE),
        ratio=1e-2 * lr,
        params={"lr": lr, "batch_size": 64},
    )


def made_up_study(size: Size) -> StepContext:
    """A study of that size, the same at every call."""
    rng = np.random.default_rng(0)
    trials = [made_up_trial(number, size, rng) for number in range(size.num_trials)]
    return replace(context(learned={"overfit_lr": GOOD_RATE}), search=trials)


def all_findings(study: StepContext) -> Sequence[Finding]:
    """What step 6 says of the leading setting and of the trials, from the measured numbers.

    Raises:
        ValueError: The study has no trial with a value.
    """
    curves = study_curves(study, (), most=len(study.search))  # all of them, however many
    if curves is None:
        raise ValueError("study: no trial has a value; give one that was evaluated")
    reading = StudyReading(curves)
    return (*reading.as_a_whole(), *reading.by_trial())


def measured(size: Size, num_repeats: int) -> dict[str, object]:
    """Median times of one size, and how much was found."""
    study = made_up_study(size)
    num_findings = len(all_findings(study))  # the first call imports what the others use
    cpu, wall = [], []
    for _ in range(num_repeats):
        began, clock = time.process_time(), time.perf_counter()
        all_findings(study)
        cpu.append(time.process_time() - began)
        wall.append(time.perf_counter() - clock)
    return {
        "study": size.name,
        "trials": size.num_trials,
        "epochs": size.num_epochs,
        "iterations": size.num_iterations,
        "findings": num_findings,
        "repeats": num_repeats,
        "cpu_seconds": round(statistics.median(cpu), 4),
        "cpu_seconds_range": [round(min(cpu), 4), round(max(cpu), 4)],
        "wall_seconds": round(statistics.median(wall), 4),
        "target_seconds": size.target_seconds,
        "met": statistics.median(cpu) <= size.target_seconds,
    }


def main(num_repeats: int = REPEATS) -> int:
    """The command; returns its exit code."""
    found = [measured(size, num_repeats) for size in SIZES]
    print(json.dumps(found, indent=2))
    return int(not all(each["met"] for each in found))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
