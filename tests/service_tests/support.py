"""A small recipe, a scripted worker's numbers, and the steps tests take again and again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from recipes.curve import CurveBlock
from recipes.description import TaskDescription
from recipes.outcome import MemberOutcome
from recipes.plan import Next
from recipes.run import MemberSpec, RunSpec
from recipes.step import (
    JobPlan,
    Step,
    StepContext,
    StepKind,
    StepPlan,
    StepReport,
    StepState,
    TrialPlan,
)
from recipes.study import StudyConfig
from recipes.trial import TrialCause, TrialPurpose, TrialState
from recipes.wire import (
    AttemptState,
    Claim,
    ClaimRequest,
    FinishRequest,
    PointsRequest,
    RegisterRequest,
)
from service.conductor.advance import advance
from service.conductor.recipe import Recipe
from service.database.base import Base
from service.database.engine import Database
from service.dispatch.scripted import Answer
from service.settings import Settings
from service.use_cases import attempts, studies, workers
from tests.recipes_tests.builders import description


@dataclass
class PlainStep(Step):
    """Trains jobs of some members each, a generation at a time, and judges by their mean."""

    kind: StepKind
    jobs: Sequence[int] = (1,)  # members of each job
    generations: int = 1
    verdicts: Sequence[StepState] = (StepState.PASSED,)  # by pass
    raises: type[Exception] | None = None
    reads_curves: ClassVar[bool] = True

    def plan(self, context: StepContext) -> StepPlan:
        per_generation = sum(self.jobs)
        if len(context.trials) >= self.generations * per_generation:
            return StepPlan()
        first = len(context.trials)
        jobs = []
        for size in self.jobs:
            trials = [self._trial(context, first + index) for index in range(size)]
            jobs.append(JobPlan(tuple(trials), {"iterations": 4, "evaluate": ()}))
            first += size
        return StepPlan(tuple(jobs), f"{per_generation} trials of {self.kind.value}")

    def _trial(self, context: StepContext, index: int) -> TrialPlan:
        params = {**context.space.center(), **context.fixed, "lr": 0.1 / (index + 1)}
        return TrialPlan(params, 100 + index, 7, TrialPurpose.CHECK, "plain")

    def judge(self, context: StepContext) -> StepReport:
        if self.raises is not None:
            raise self.raises("a rule's own mistake")
        verdict = self.verdicts[min(context.pass_number, len(self.verdicts)) - 1]
        ends = [trial.curve("loss").values[-1:] for trial in context.trials]
        values = [value for end in ends for value in end if math.isfinite(value)]
        return StepReport(
            number=self.kind.number,
            kind=self.kind,
            round=context.round,
            pass_number=context.pass_number,
            state=verdict,
            verdict=verdict,
            sentence=f"{len(context.trials)} trials",
            evidence={"mean_loss": sum(values) / len(values) if values else math.nan},
            learned={f"seen_{self.kind.value}": len(context.trials)},
        )


def follow(steps: Sequence[int], history: Sequence[StepReport]) -> Next:
    """One step after the other; a failed one waits for a person, unless it was skipped."""
    last = history[-1] if history else None
    is_skipped = last is not None and last.state is StepState.SKIPPED
    if last is not None and last.verdict is StepState.FAILED and not is_skipped:
        return Next("needs_action", last.sentence)
    left = steps[len(history) :]
    if not left:
        return Next("complete", "finished")
    return Next("run", "next", number=left[0])


def recipe(*steps: Step) -> Recipe:
    """A recipe of these steps alone, of which a study carries out those it names."""
    known = {step.kind.number: step for step in steps}

    def next_step(config: StudyConfig, history: Sequence[StepReport]) -> Next:
        return follow([number for number in config.steps if number in known], history)

    return Recipe(known, next_step)


ONE_STEP = recipe(PlainStep(StepKind.INITIAL_LOSS))


def block(trial: int, *values: float, first: int = 0, metric: str = "loss") -> CurveBlock:
    iterations = tuple(range(first, first + len(values)))
    return CurveBlock(
        trial=trial, metric=metric, split="train", iterations=iterations, values=values
    )


def outcome(
    trial: int,
    state: TrialState = TrialState.COMPLETE,
    cause: TrialCause = TrialCause.FINISHED,
    seconds: float = 0.1,
) -> MemberOutcome:
    return MemberOutcome(trial=trial, state=state, cause=cause, iterations=4, seconds=seconds)


@dataclass
class Falling:
    """A script: every loss halves, from one over its learning rate."""

    described: TaskDescription = field(default_factory=description)

    def describe(self) -> TaskDescription:
        return self.described

    def train(self, run: RunSpec, member: MemberSpec) -> Answer:
        start = 1 / float(member.params["lr"])
        values = [start / 2**iteration for iteration in range(5)]
        return Answer(outcome(member.trial), (block(member.trial, *values),))


@dataclass
class Bench:
    """A database with use cases at hand, each in a transaction of its own."""

    database: Database
    settings: Settings

    def create(self, **changes: Any) -> str:
        config = StudyConfig.model_validate({"name": "study", "task": "digits", **changes})
        with self.database.write() as session:
            return studies.create(session, config).id

    def worker(self, name: str = "w") -> str:
        request = RegisterRequest(name=name, slots=64, version="0")
        with self.database.write() as session:
            return workers.register(session, request, settings=self.settings).worker

    def claim(self, worker: str, slot: int = 0) -> Claim | None:
        request = ClaimRequest(slot=slot, wait_seconds=0)
        with self.database.write() as session:
            return attempts.claim(session, worker, request, settings=self.settings)

    def must_claim(self, worker: str, slot: int = 0) -> Claim:
        claim = self.claim(worker, slot)
        assert claim is not None
        return claim

    def points(
        self, claim: Claim, *blocks: CurveBlock, outcomes: Sequence[MemberOutcome] = ()
    ) -> int:
        request = PointsRequest(fence=claim.fence, blocks=blocks, outcomes=tuple(outcomes))
        with self.database.write() as session:
            return attempts.points(session, claim.attempt, request).accepted

    def finish(
        self, claim: Claim, state: AttemptState = AttemptState.SUCCEEDED, **fields: Any
    ) -> None:
        request = FinishRequest.model_validate({"fence": claim.fence, "state": state, **fields})
        with self.database.write() as session:
            attempts.finish(session, claim.attempt, request, settings=self.settings)

    def describe(self, worker: str) -> None:
        """Answer the describe job that waits."""
        self.finish(self.must_claim(worker), description=description())

    def advance(self, study: str, steps: Recipe = ONE_STEP) -> None:
        """Take every decision there is to take."""
        while advance(self.database, study, settings=self.settings, recipe=steps):
            pass

    def planned(self, jobs: Sequence[int] = (1,), worker: str | None = None) -> str:
        """A study whose one step has planned these jobs."""
        study = self.create()
        self.describe(worker or self.worker("describer"))
        self.advance(study, recipe(PlainStep(StepKind.INITIAL_LOSS, jobs)))
        return study

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every table, by key."""
        with self.database.read() as session:
            return {
                table.name: [
                    dict(row._mapping)
                    for row in session.execute(table.select().order_by(*table.primary_key))
                ]
                for table in Base.metadata.sorted_tables
            }
