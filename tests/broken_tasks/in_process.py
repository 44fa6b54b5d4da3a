"""The recipe carried out in this process: no service, no database, real training."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from recipes.curve import CurveBlock, join
from recipes.description import TaskDescription
from recipes.outcome import MemberOutcome
from recipes.plan import STEPS, Next, next_step
from recipes.step import JobPlan, StepContext, StepReport, StepState, TrialResult
from recipes.task import Task
from worker.data import TaskData, load_data
from worker.describe import describe
from worker.training import train


class Recorder:
    """A reporter that keeps everything."""

    def __init__(self) -> None:
        self.blocks: list[CurveBlock] = []
        self.outcomes: dict[int, MemberOutcome] = {}

    def points(self, block: CurveBlock) -> None:
        self.blocks.append(block)

    def checkpoint(self, trial: int, epoch: int, iteration: int, content: bytes) -> None:
        raise AssertionError("runs this short make no checkpoint")

    def outcome(self, outcome: MemberOutcome) -> None:
        self.outcomes[outcome.trial] = outcome

    def stopping(self) -> bool:
        return False

    def dropped(self, trial: int) -> bool:
        return False


def carry_out(
    task: Task, *, seed: int = 0, steps: Sequence[int] = (1, 2, 3)
) -> tuple[list[StepReport], Next]:
    """The reports of a study of the task, in order, and what would come after them."""
    device = torch.device("cpu")
    data = load_data(task, device)
    description = describe(task, data, device=device)
    history: list[StepReport] = []
    learned: dict[str, object] = {}
    num_trials = 0
    while (following := next_step(steps, history)).kind == "run":
        assert following.number is not None
        step = STEPS[following.number]
        trials: list[TrialResult] = []
        while True:
            context = _context(description, seed, learned, history, trials, following)
            jobs = step.plan(context).jobs
            if not jobs:
                break
            for job in jobs:
                trials += _run(task, data, job, first_number=num_trials)
                num_trials += len(job.trials)
        report = step.judge(context)
        history.append(report)
        if report.verdict in (StepState.PASSED, StepState.WARNING):
            learned |= report.learned
    return history, following


def _context(
    description: TaskDescription,
    seed: int,
    learned: dict[str, object],
    history: list[StepReport],
    trials: list[TrialResult],
    following: Next,
) -> StepContext:
    return StepContext(
        seed=seed,
        description=description,
        space=description.space,
        fixed={},
        learned=dict(learned),
        history=tuple(history),
        trials=tuple(trials),
        round=following.round,
        pass_number=following.pass_number,
    )


def _run(task: Task, data: TaskData, job: JobPlan, *, first_number: int) -> list[TrialResult]:
    numbers = range(first_number, first_number + len(job.trials))
    recorder = Recorder()
    train(task, data, job.run_spec(numbers), recorder)
    return [
        TrialResult(
            number=number,
            purpose=trial.purpose,
            label=trial.label,
            params=trial.params,
            outcome=recorder.outcomes[number],
            curves=join(block for block in recorder.blocks if block.trial == number),
        )
        for number, trial in zip(numbers, job.trials, strict=True)
    ]
