"""A whole study without the service: the real steps and rules, whatever trains.

``tests.in_process`` trains real models, ``tests.simulated`` follows a given function.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from recipes.budget import BudgetState, Spent
from recipes.curve import Curve, CurveKey
from recipes.description import TaskDescription
from recipes.outcome import MemberOutcome
from recipes.plan import STEPS, Next, next_step
from recipes.run import RunSpec
from recipes.search.allowance import iterations_per_epoch
from recipes.step import Continued, JobPlan, StepContext, StepReport, TrialResult
from recipes.study import StudyConfig
from recipes.study_space import study_space
from recipes.trial import TrialCause, TrialPurpose, TrialState

SEARCHING = (4, 5, 7)
"""Steps whose trials later steps may read."""


class Trained(NamedTuple):
    """What training one member gave."""

    outcome: MemberOutcome
    curves: dict[CurveKey, Curve]


class WholeStudy(ABC):
    """A study under way. ``trials`` holds every trial of it, by number.

    Args:
        description: The task's.
        slots: What its budget is told.
        config: Fields of the study's config.
    """

    def __init__(self, description: TaskDescription, *, slots: int = 1, **config: Any) -> None:
        self.config = StudyConfig(name="study", task="task", **config)
        self.description = description
        self.slots = slots
        self.history: list[StepReport] = []
        self.trials: dict[int, TrialResult] = {}
        self.following: Next | None = None
        self.started = time.monotonic()

    @abstractmethod
    def train_members(self, run: RunSpec, continued: set[int]) -> list[Trained]:
        """Train the members of a run, in order; ``continued`` ones from where they paused."""

    def run(self) -> list[StepReport]:
        """To the end, or to the first gate that fails; the reports, in order."""
        while (following := next_step(self.config, self.history)).kind == "run":
            assert following.number is not None
            self.step(following.number, following.round, following.pass_number)
        self.following = following
        return self.history

    def step(self, number: int, round_number: int, pass_number: int) -> StepReport:
        """Plan, train and judge one run of a step."""
        step = STEPS[number]
        place = (number, round_number, pass_number)
        begun = self.spent()
        while True:
            plan = step.plan(self.context(place, begun))
            for discarded in plan.discard:
                self.discard(discarded)
            if not plan.jobs:
                break
            for job, numbers in zip(plan.jobs, plan.numbers(len(self.trials)), strict=True):
                self._train(job, numbers, place)
            # As the service reads them, whichever job was first.
            self.trials = dict(sorted(self.trials.items()))
        report = step.judge(self.context(place, begun))
        for trial in list(self.trials.values()):
            if trial.outcome.state is TrialState.WAITING:
                self.discard(trial.number)
        self.history.append(report)
        return report

    def context(self, place: tuple[int, int, int], begun: Spent) -> StepContext:
        """What the conductor would give the step."""
        mine = [each for each in self.trials.values() if _place(each) == place]
        others = [
            each
            for each in self.trials.values()
            if _place(each) != place and each.step in SEARCHING
        ]
        learned: dict[str, Any] = {}
        for report in self.history:
            learned.update(report.learned)
        spent = self.spent()
        own = {name: getattr(spent, name) - getattr(begun, name) for name in Spent.model_fields}
        return StepContext(
            seed=self.config.seed,
            description=self.description,
            space=study_space(self.description, self.config),
            fixed=self.config.set,
            learned=learned,
            history=self.history,
            trials=mine,
            round=place[1],
            pass_number=place[2],
            search=others,
            options=self.config.search,
            incumbent=self.config.incumbent,
            budget=BudgetState(self.config.budget, spent, Spent(**own), slots=self.slots),
            max_rounds=self.config.max_rounds,
        )

    def spent(self) -> Spent:
        """By all trials so far."""
        trials = self.trials.values()
        return Spent(
            wall_seconds=self.wall_seconds(),
            epochs=sum(
                each.outcome.iterations / iterations_per_epoch(self.description, each.params)
                for each in trials
            ),
            trials=sum(each.step in SEARCHING for each in trials),
            device_seconds=sum(each.outcome.seconds for each in trials),
        )

    def wall_seconds(self) -> float:
        """Since the study began."""
        return time.monotonic() - self.started

    def discard(self, number: int) -> None:
        """End a trial that waits at a rung."""
        trial = self.trials[number]
        outcome = trial.outcome.model_copy(
            update={"state": TrialState.PRUNED, "cause": TrialCause.EARLY_DISCARD}
        )
        self.trials[number] = replace(trial, outcome=outcome)

    def of(self, number: int, *, round_number: int | None = None) -> list[StepReport]:
        """The reports of a step."""
        return [
            report
            for report in self.history
            if report.number == number and round_number in (None, report.round)
        ]

    def _train(self, job: JobPlan, numbers: Sequence[int], place: tuple[int, int, int]) -> None:
        run = job.run_spec(numbers)
        continued = {each.number for each in job.trials if isinstance(each, Continued)}
        trained = self.train_members(run, continued)
        for member, plan, result in zip(run.members, job.trials, trained, strict=True):
            if isinstance(plan, Continued):
                before = self.trials[member.trial]
                joined = {
                    key: _join(before.curves.get(key), curve)
                    for key, curve in result.curves.items()
                }
                self.trials[member.trial] = replace(
                    before, outcome=result.outcome, curves={**before.curves, **joined}
                )
                continue
            self.trials[member.trial] = TrialResult(
                number=member.trial,
                purpose=TrialPurpose(plan.purpose),
                label=plan.label,
                params=member.params,
                outcome=result.outcome,
                curves=result.curves,
                seed=member.seed,
                data_seed=member.data_seed,
                step=place[0],
                round=place[1],
                pass_number=place[2],
            )


def _place(trial: TrialResult) -> tuple[int, int, int]:
    return trial.step, trial.round, trial.pass_number


def _join(before: Curve | None, after: Curve) -> Curve:
    """A curve gone on with: the later points win."""
    if before is None:
        return after
    if max(before.iterations, default=-1) < min(after.iterations, default=0):
        return Curve(before.iterations + after.iterations, before.values + after.values)
    points = dict(zip(before.iterations, before.values, strict=True))
    points.update(zip(after.iterations, after.values, strict=True))
    order = sorted(points)
    return Curve(tuple(order), tuple(points[at] for at in order))


def sentences(history: Sequence[StepReport]) -> list[str]:
    """One line a report, for assertions that fail to show."""
    return [f"{each.round}.{each.number}.{each.pass_number} {each.sentence}" for each in history]
