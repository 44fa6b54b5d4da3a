"""A whole study in one process: the real steps, rules and training, without the service.

Its reports are what the service's must equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from recipes import Task
from recipes.curve import join
from recipes.run import RunSpec
from recipes.space import ParameterValue
from recipes.step import StepReport
from tests.whole_study import Trained, WholeStudy
from worker.data.data import load_data
from worker.describe.describe import describe
from worker.training.checkpoint import Checkpoint
from worker.training.collecting import CollectingReporter
from worker.training.loop import train

CPU = torch.device("cpu")


def run_study(
    task: Task,
    *,
    seed: int = 0,
    steps: Sequence[int] = (1, 2, 3),
    fixed: Mapping[str, ParameterValue] | None = None,
    **config: Any,
) -> list[StepReport]:
    """Carry out the steps; the reports, in order, up to the first gate that fails."""
    return Study(task, seed=seed, steps=tuple(steps), set=dict(fixed or {}), **config).run()


class Study(WholeStudy):
    """A study of a real task."""

    def __init__(self, task: Task, **config: Any) -> None:
        torch.set_num_threads(1)
        self.task = task
        self.data = load_data(task, CPU)
        super().__init__(describe(task, self.data, device=CPU), **config)
        self.checkpoints: dict[int, Checkpoint] = {}
        self.snapshots: dict[int, bytes] = {}

    def train_members(self, run: RunSpec, continued: set[int]) -> list[Trained]:
        """Here and now, on one thread."""
        reporter = CollectingReporter()
        train(
            self.task,
            self.data,
            run,
            reporter,
            resume={number: self.checkpoints[number] for number in continued},
            snapshots=self.snapshots,
        )
        for number, kept in reporter.checkpoints.items():
            self.checkpoints[number] = kept[-1]
        self.snapshots.update(reporter.snapshots)
        return [
            Trained(
                reporter.outcomes[member.trial],
                join(block for block in reporter.blocks if block.trial == member.trial),
            )
            for member in run.members
        ]
