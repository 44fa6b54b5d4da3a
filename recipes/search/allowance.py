"""What a step may still run: a budget turned into trials and epochs, by measured prices."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from recipes.budget import SHARES
from recipes.description import TaskDescription
from recipes.fusing import Fusing
from recipes.search.scoring import epochs_done
from recipes.space import ParameterValue, SearchSpace
from recipes.step import LeftOut, StepContext, StepKind, TrialResult

AFTER_COARSE = SHARES["fine"] + SHARES["final"]
"""Share of a budget that step 4 leaves to those after it. What steps 1 to 3 did not use is its."""

AFTER_ROUNDS = SHARES["final"]
"""Share that the rounds leave to the finalists and the test."""

FIRST_OVERHEAD = 1.2
LARGEST_OVERHEAD = 4.0
"""Wall-clock over training time on the slots: dispatch, start of processes, idle ends of
rungs. Guessed until a search has been measured: this step's own trials, else the last one's."""

OVERHEAD = "overhead"
"""Its name among what a search's report measured."""

SPEED_UP = "speed_up"
"""Among what step 3's report measured: how many times as fast its rates trained together."""

JOB_SECONDS = 1.0
"""About how long a job is: short trials go together, so that handing them out stays cheap."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much more may be run.

    Attributes:
        epochs: Of single trials, all slots together; infinite without a limit.
        trials: New ones.
        seconds_per_epoch: Of one trial that trains alone on one slot; NaN when not known.
        overhead: Wall-clock seconds over training seconds on busy slots.
        wall_seconds: Left to this step.
        slots: Jobs at the same time.
        fusing: How many trials train together, and what that gains by their number. Fewer of
            them take hardly less time, so that a rung of half as many is not half as dear.
    """

    epochs: float
    trials: float
    seconds_per_epoch: float
    overhead: float
    wall_seconds: float
    slots: int
    fusing: Fusing

    def fits(self, count: int, epochs: int) -> bool:
        """Whether so many trials can each go so many epochs further.

        Args:
            count: Trials, side by side on the slots.
            epochs: Epochs each.
        """
        if count * epochs > self.epochs:
            return False
        if math.isinf(self.wall_seconds):
            return True
        return self._wall(count, epochs) <= self.wall_seconds

    def without(self, count: int, epochs: int) -> Allowance:
        """What is left when so many trials of so many epochs are held back.

        Args:
            count: Trials, side by side on the slots.
            epochs: Epochs each.
        """
        wall = self.wall_seconds
        if math.isfinite(wall) and self.seconds_per_epoch > 0:
            wall = max(0.0, wall - self._wall(count, epochs))
        return replace(
            self,
            epochs=max(0.0, self.epochs - count * epochs),
            trials=max(0.0, self.trials - count),
            wall_seconds=wall,
        )

    def _wall(self, count: int, epochs: int) -> float:
        """Wall-clock seconds of so many trials of so many epochs: wave by wave of jobs."""
        together = self.fusing.together(count, self.slots)
        waves = math.ceil(math.ceil(count / together) / self.slots)
        trained = waves * together * epochs * self.seconds_per_epoch
        return trained / self.fusing.speed_up(together) * self.overhead

    @property
    def is_limited(self) -> bool:
        """Whether anything limits it."""
        return not (math.isinf(self.epochs) and math.isinf(self.trials))


def allowance(context: StepContext, *, reserve: float, rounds: int = 1) -> Allowance:
    """What the step under way may still run.

    Args:
        context: With its budget and the trials that tell prices.
        reserve: Share of the budget that is held back for later.
        rounds: Over how many rounds, this one included, the rest is spread.
    """
    budget = context.budget
    left = budget.left(reserve=reserve)
    own = budget.step_spent
    price = _price(context)
    seconds = price.share
    overhead = measured_overhead(context)
    share = 1.0 / rounds

    def mine(rest: float, spent: float) -> float:
        return max(0.0, (rest + spent) * share - spent)

    wall = mine(left.wall_seconds, own.wall_seconds)
    epochs = mine(left.epochs, own.epochs)
    if math.isfinite(wall) and seconds > 0:
        epochs = min(epochs, wall * budget.slots / (seconds * overhead))
    device = mine(left.device_seconds, own.device_seconds)
    if math.isfinite(device) and seconds > 0:
        epochs = min(epochs, device / seconds)
    return Allowance(
        epochs=epochs,
        trials=mine(left.trials, own.trials),
        seconds_per_epoch=price.alone,
        overhead=overhead,
        wall_seconds=wall,
        slots=budget.slots,
        fusing=search_fusing(context.description, context.space, context.fixed),
    )


def search_fusing(
    description: TaskDescription, space: SearchSpace, fixed: Collection[str]
) -> Fusing:
    """What training together is reckoned to gain in a search.

    Args:
        description: What was measured.
        space: The study's.
        fixed: Names that it does not vary.
    """
    varied = {
        name
        for name, distribution in space.root.items()
        if name not in fixed and len(set(distribution.extremes())) > 1
    }
    return description.fusing.in_search(varied)


def members_per_job(context: StepContext, *, count: int, epochs: int) -> int:
    """How many trials to hand out together: about a second's worth, spread over the slots.

    Only where trials train one by one; those that train together are spread by
    ``Fusing.together``. Results do not depend on the grouping: one after another, members train
    under their own seeds, and together they differ from that within float32's rounding.
    """
    seconds = _price(context).share * epochs
    if not seconds > 0:
        return 1
    even = math.ceil(count / (2 * context.budget.slots))
    return max(1, min(even, int(JOB_SECONDS / seconds)))


def seconds_alone(fusing: Fusing, trial: TrialResult) -> float:
    """What a trial would have taken alone, by what training together was measured to gain.

    A trial of several rungs had more beside it before the last one, which counts: what comes
    out is then somewhat too little.
    """
    return trial.outcome.seconds * fusing.speed_up(trial.outcome.num_together or 1)


@dataclass(frozen=True, slots=True)
class _Price:
    """Seconds of one trial's epoch on one slot; NaN when not known.

    Attributes:
        share: As it came out: of what trains together, each trial's share of the time.
        alone: Of a trial that trains alone.
    """

    share: float
    alone: float


def _price(context: StepContext) -> _Price:
    """By this step's trials, else by earlier searches, else by step 3."""
    fusing = context.description.fusing
    for trials, more in ((context.trials, LeftOut()), (context.search, context.left_out)):
        epochs = sum(map(epochs_done, trials)) + more.epochs
        if epochs:
            share = sum(each.outcome.seconds for each in trials) + more.seconds
            alone = sum(seconds_alone(fusing, each) for each in trials) + more.seconds_alone
            return _Price(share / epochs, alone / epochs)
    for report in reversed(context.history):
        per_iteration = report.measured.get("seconds_per_iteration")
        if report.kind is StepKind.LR_FINDER and per_iteration:
            share = per_iteration * iterations_per_epoch(
                context.description, {**context.space.center(), **context.fixed}
            )
            # Its rates are of one form, which a search's settings may not be.
            alone = share * report.measured.get(SPEED_UP, 1.0)
            fusing = search_fusing(context.description, context.space, context.fixed)
            return _Price(alone / fusing.speed_up(fusing.chunk), alone)
    return _Price(math.nan, math.nan)


def iterations_per_epoch(
    description: TaskDescription, params: Mapping[str, ParameterValue]
) -> int:
    """Batches in one pass over the training data.

    Args:
        description: Says how many samples there are.
        params: A setting; without a ``batch_size`` the task's default counts.
    """
    batch_size = int(params.get("batch_size", description.default_batch_size))
    return math.ceil(description.split("train").num_samples / batch_size)


def measured_overhead(context: StepContext) -> float:
    """Wall-clock over training time, of this step's own trials, else of the last search."""
    trained = sum(each.outcome.seconds for each in context.trials)
    busy = trained / context.budget.slots
    if busy <= 0 or context.budget.step_spent.wall_seconds <= 0:
        return next(
            (
                report.measured[OVERHEAD]
                for report in reversed(context.history)
                if OVERHEAD in report.measured
            ),
            FIRST_OVERHEAD,
        )
    return min(max(1.0, context.budget.step_spent.wall_seconds / busy), LARGEST_OVERHEAD)
