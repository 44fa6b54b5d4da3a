"""A search of two rungs, and a worker's numbers for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from recipes.description import TaskDescription
from recipes.outcome import Evaluation, MemberOutcome, Moments
from recipes.result import Best, Result
from recipes.run import MemberSpec, RunSpec
from recipes.step import (
    Continued,
    JobPlan,
    Step,
    StepContext,
    StepKind,
    StepPlan,
    StepReport,
    StepState,
    TrialPlan,
    TrialResult,
)
from recipes.trial import TrialCause, TrialPurpose, TrialState
from service.dispatch.scripted import Answer
from tests.recipes_tests.builders import description
from tests.service_tests.support import Falling, block

EPOCHS = 4
RUNG = 2
SAMPLES = 300


def evaluation(accuracy: float, epoch: int) -> Evaluation:
    right = accuracy * SAMPLES
    return Evaluation(
        split="val",
        iteration=16 * epoch,  # 1,000 samples in batches of 64
        metrics={
            "accuracy": Moments(total=right, total_squares=right, n=SAMPLES),
            "loss": Moments(total=SAMPLES, total_squares=SAMPLES, n=SAMPLES),
        },
    )


def so_far(trial: int, lr: float, epochs: int, *, ends: bool) -> MemberOutcome:
    """Accuracy rises with the learning rate and the epochs."""
    found = [evaluation(min(0.9, lr) * epoch / EPOCHS, epoch) for epoch in range(epochs + 1)]
    return MemberOutcome(
        trial=trial,
        state=TrialState.COMPLETE if ends else TrialState.WAITING,
        cause=TrialCause.FINISHED if ends else None,
        iterations=16 * epochs,
        evaluations=tuple(found),
        snapshot_epoch=epochs if ends else None,
        seconds=0.1 * epochs,
    )


@dataclass
class Climbing:
    """Measures a two-rung search."""

    described: TaskDescription = field(default_factory=description)

    def describe(self) -> TaskDescription:
        return self.described

    def train(self, run: RunSpec, member: MemberSpec) -> Answer:
        if run.epochs is None:
            return Falling().train(run, member)
        until = run.until_epoch or run.epochs
        lr = float(member.params["lr"])
        losses = [1 - lr * epoch / 10 for epoch in range(until + 1)]
        outcome = so_far(member.trial, lr, until, ends=until == run.epochs)
        return Answer(outcome, (block(member.trial, *losses),))


@dataclass
class TwoRungs(Step):
    """Trains some trials to a rung; half of them go on, the others are discarded."""

    kind: StepKind = StepKind.COARSE_SEARCH
    count: int = 4
    leaves_waiting: bool = False  # judges without having named those that wait
    seen: list[StepContext] = field(default_factory=list)
    reads_search: ClassVar[bool] = True

    def plan(self, context: StepContext) -> StepPlan:
        self.seen.append(context)
        if not context.trials:
            trials = tuple(self._trial(context, place) for place in range(self.count))
            return StepPlan(self._jobs(trials, until=RUNG), "to the rung")
        waiting = [trial for trial in context.trials if trial.outcome.state is TrialState.WAITING]
        if not waiting or self.leaves_waiting:
            return StepPlan()
        best = sorted(waiting, key=lambda trial: -float(trial.params["lr"]))
        half = len(best) // 2
        going_on = tuple(Continued.of(trial) for trial in best[:half])
        return StepPlan(
            self._jobs(going_on, until=None),
            "to the end",
            discard=tuple(trial.number for trial in best[half:]),
        )

    def _trial(self, context: StepContext, place: int) -> TrialPlan:
        params = {**context.space.center(), "lr": 0.1 * (place + 1)}
        return TrialPlan(params, 3, 5, TrialPurpose.SEARCH, "search")

    def _jobs(
        self, trials: Sequence[TrialPlan | Continued], until: int | None
    ) -> tuple[JobPlan, ...]:
        settings = {"epochs": EPOCHS, "until_epoch": until, "keep_snapshot": True}
        return tuple(JobPlan((trial,), settings) for trial in trials)

    def judge(self, context: StepContext) -> StepReport:
        done = [each for each in context.trials if each.outcome.state is TrialState.COMPLETE]
        return StepReport(
            number=self.kind.number,
            kind=self.kind,
            round=context.round,
            pass_number=context.pass_number,
            state=StepState.PASSED,
            verdict=StepState.PASSED,
            sentence=f"{len(done)} of {len(context.trials)} trials ended",
            learned={"best_lr": max((float(each.params["lr"]) for each in done), default=0.0)},
            result=_result(done, len(context.trials)),
        )


def _result(done: Sequence[TrialResult], count: int) -> Result | None:
    if not done:
        return None
    best = max(done, key=lambda trial: float(trial.params["lr"]))
    return Result(
        best=Best(
            trial=best.number,
            params=dict(best.params),
            metric="accuracy",
            direction="maximize",
            value=best.outcome.on("val")[-1].metrics["accuracy"].mean,
            standard_error=0.02,
            n=SAMPLES,
            num_candidates=count,
            epoch=EPOCHS,
            epochs=EPOCHS,
        ),
        not_tried=("weight decay above 0.1",),
    )
