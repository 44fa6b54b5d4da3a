"""A whole study in one process: the real steps, rules and training, without the service.

Its reports are what the service's must equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from recipes import Task
from recipes.curve import join
from recipes.plan import STEPS, next_step
from recipes.space import ParameterValue
from recipes.step import StepContext, StepReport, TrialPlan, TrialResult
from recipes.study import StudyConfig
from recipes.study_space import study_space
from worker.data.data import TaskData, load_data
from worker.describe.describe import describe
from worker.training.collecting import CollectingReporter
from worker.training.loop import train

CPU = torch.device("cpu")


def run_study(
    task: Task,
    *,
    seed: int = 0,
    steps: Sequence[int] = (1, 2, 3),
    fixed: Mapping[str, ParameterValue] | None = None,
) -> list[StepReport]:
    """Carry out the steps; the reports, in order, up to the first gate that fails."""
    torch.set_num_threads(1)
    data = load_data(task, CPU)
    description = describe(task, data, device=CPU)
    config = StudyConfig(name="study", task="task", seed=seed, set=dict(fixed or {}))
    history: list[StepReport] = []
    learned: dict[str, Any] = {}
    number = 0
    while (following := next_step(steps, history)).kind == "run":
        assert following.number is not None
        step = STEPS[following.number]
        trials: list[TrialResult] = []

        def context() -> StepContext:
            return StepContext(
                seed=seed,
                description=description,
                space=study_space(description, config),
                fixed=config.set,
                learned=learned,
                history=history,
                trials=trials,  # noqa: B023  (called within its own turn)
                round=following.round,
                pass_number=following.pass_number,
            )

        while jobs := step.plan(context()).jobs:
            for job in jobs:
                numbers = list(range(number, number + len(job.trials)))
                number += len(job.trials)
                trials += _train(task, data, job.run_spec(numbers), job.trials)
        report = step.judge(context())
        history.append(report)
        learned.update(report.learned)
    return history


def _train(task: Task, data: TaskData, run: Any, plans: Sequence[TrialPlan]) -> list[TrialResult]:
    reporter = CollectingReporter()
    train(task, data, run, reporter)
    return [
        TrialResult(
            number=member.trial,
            purpose=plan.purpose,
            label=plan.label,
            params=member.params,
            outcome=reporter.outcomes[member.trial],
            curves=join(block for block in reporter.blocks if block.trial == member.trial),
        )
        for member, plan in zip(run.members, plans, strict=True)
    ]
