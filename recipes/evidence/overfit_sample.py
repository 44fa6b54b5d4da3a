"""The evidence of step 2: how well a small sample was memorised, setting by setting."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from recipes.description import TaskDescription
from recipes.evidence.earlier import found_before
from recipes.expectation import baseline_loss, lone_target
from recipes.features import block_medians, finite_prefix, median_of_last, probably_lower
from recipes.finding import Finding
from recipes.step import StepReport, TrialResult
from recipes.trend import noise_sd, trend
from recipes.trial import TrialCause, TrialState

FITTED_LOSS = 0.05
"""Cross-entropy under which a sample counts as memorised (notes/diagnosis.md, row 10)."""

FITTED_VARIANCE_SHARE = 0.01
"""The same for squared errors, as a share of the targets' variance (method.md, step 2)."""

TAIL_ITERATIONS = 100
"""Iterations compared between real and zeroed inputs (TheDeepChecker, via row 11)."""

END_ITERATIONS = 5
"""Iterations whose median is the loss a run ended with."""

COURSE_POINTS = 40
"""Block medians by which it is read whether a loss rises or falls."""

COURSE_SDS = 3.0
"""Change over the course, in sds of the scatter around it, that is one."""

MOVED_SHARE = 1e-3
"""Change of the loss, as a share of where it started, that more than rounding makes (ours)."""

STUCK_SHARE = 0.02
"""A loss that ends within this share of chance has not moved from it (ours)."""

ON_ITS_WAY = 0.5
"""Share of the starting loss under which a run has begun to memorise (ours)."""


@dataclass(frozen=True, slots=True)
class MemorisingRun:
    """One setting's run on the sample."""

    trial: int
    lr: float
    optimizer: str
    init: str
    start_loss: float
    end_loss: float
    end_accuracy: float | None  # share of the sample's batch right; None for regression
    iterations: int
    state: TrialState
    cause: TrialCause | None
    losses: tuple[float, ...]
    message: str | None
    fitted: bool
    seed: int = 0

    @property
    def course(self) -> int:
        """1 for a loss that rises from its start on, -1 for one that falls, 0 for neither.

        Read from the finite part, by its trend.
        """
        blocks = block_medians(tuple(finite_prefix(self.losses)), max_blocks=COURSE_POINTS)
        line = trend(blocks)
        if line is None or not (line.rises or line.falls):
            return 0
        change = float(np.median(blocks[-3:]) - np.median(blocks[:3]))
        if abs(change) <= COURSE_SDS * noise_sd(blocks) or change * line.slope <= 0:
            return 0
        return 1 if change > 0 else -1

    @property
    def has_moved(self) -> bool:
        """Whether its loss changed at all, either way."""
        change = self.end_loss - self.start_loss
        return abs(change) > MOVED_SHARE * abs(self.start_loss)


@dataclass(frozen=True, slots=True)
class OverfitEvidence:
    """Step 2's numbers.

    Attributes:
        target: Loss that counts as memorised, in the loss's own unit; None when it is unknown
            and a hundredth of the starting loss, where that is above 0, stands in for it.
        runs: All settings tried, in order.
        zeroed: Losses of the best setting on zeroed inputs; None before it ran.
        p_needs_input: p of "real inputs do no better than zeroed ones"; None before it ran.
        earlier: Codes of step 1's warnings and errors, for naming causes.
        notes: What step 1 found beside them, by code.
    """

    description: TaskDescription
    target: float | None
    runs: tuple[MemorisingRun, ...]
    zeroed: tuple[float, ...] | None
    p_needs_input: float | None
    earlier: tuple[str, ...]
    sample_size: int
    sample_digest: str | None
    notes: Mapping[str, Finding] = field(default_factory=dict)

    @property
    def best(self) -> MemorisingRun | None:
        """The setting that fitted first, else the one with the lowest finite end loss."""
        fitted = [run for run in self.runs if run.fitted]
        if fitted:
            return min(fitted, key=lambda run: (run.iterations, run.end_loss, run.trial))
        finite = [run for run in self.runs if math.isfinite(run.end_loss)]
        return min(finite, key=lambda run: (run.end_loss, run.trial)) if finite else None

    @property
    def passed(self) -> bool:
        """Whether some setting memorised the sample."""
        return any(run.fitted for run in self.runs)

    @property
    def is_undecidable(self) -> bool:
        """Whether runs ended, and it is not known which loss would mean that they memorised.

        Without a target that is a share of where the loss starts, and of 0 or less there is
        none. No further run would tell.
        """
        if self.target is not None or self.best is None:
            return False
        starts = [run.start_loss for run in self.runs if math.isfinite(run.start_loss)]
        return bool(starts) and max(starts) <= 0

    @property
    def first_seed(self) -> tuple[MemorisingRun, ...]:
        """The runs that began from the step's own weights."""
        return tuple(run for run in self.runs if run.seed == self.runs[0].seed)

    @property
    def other_seed(self) -> MemorisingRun | None:
        """The rerun from other weights; None where none was needed."""
        return next((run for run in self.runs if run.seed != self.runs[0].seed), None)

    @property
    def is_stuck(self) -> bool:
        """Whether all finite runs from the step's own weights end where a constant does."""
        finite = [run for run in self.first_seed if math.isfinite(run.end_loss)]
        return bool(finite) and all(self.is_at_chance(run) for run in finite)

    def is_at_chance(self, run: MemorisingRun) -> bool:
        """Whether a run ends at the best constant prediction's loss, where that is known."""
        if self.chance is None or run.fitted:
            return False
        return abs(run.end_loss - self.chance) <= STUCK_SHARE * max(abs(self.chance), 1e-12)

    @property
    def is_on_its_way(self) -> bool:
        """Whether the best setting has begun to memorise without getting there."""
        best = self.best
        if best is None or self.passed:
            return False
        return best.start_loss > 0 and best.end_loss < ON_ITS_WAY * best.start_loss

    def gets_there_within(self, iterations: int) -> bool:
        """Whether the best setting, on its way, would memorise the sample in so many iterations.

        At the pace of its last half, as a share of its loss: optimistic, for losses fall ever
        more slowly. Where only some samples' answers are missing, none is asked for.
        """
        best = self.best
        if best is None or not self.is_on_its_way:
            return False
        limit = limit_of(best.start_loss, self.target)
        if best.end_loss < limit:
            return True
        half = len(best.losses) // 2
        before = median_of_last(best.losses[:half], END_ITERATIONS)
        if not before > max(best.end_loss, 0.0):  # NaN where it has no half
            return False
        fall = best.end_loss / before
        return bool(best.end_loss * fall ** ((iterations - len(best.losses)) / half) < limit)

    @property
    def climbs(self) -> MemorisingRun | None:
        """The run at the lowest rate that moved the loss, when it rose and no run's fell.

        A step small enough against the gradient lowers the loss (Taylor's theorem): what
        rises at the lowest rates that move it at all goes along the gradient. A rate that is
        too high by far makes it explode instead, within as many iterations.
        """
        rising = []
        for run in sorted(self.runs, key=lambda run: not run.fitted):  # one that fitted fell
            course = run.course
            if course < 0:
                return None
            if course > 0:
                rising.append(run)
        lowest = min(rising, key=lambda run: run.lr, default=None)
        return lowest if lowest and lowest.cause is TrialCause.FINISHED else None

    @property
    def chance(self) -> float | None:
        """The best constant prediction's loss."""
        return baseline_loss(self.description)


def fitted_loss(description: TaskDescription) -> float | None:
    """The train loss under which the sample counts as memorised; None when it is unknown."""
    if lone_target(description) is not None:
        return None  # no loss lies under a hundredth of no variance
    if description.kind == "regression" and not description.own_loss:
        return FITTED_VARIANCE_SHARE * description.targets.variance
    if description.kind == "custom" or description.kind == "regression":
        return None
    return FITTED_LOSS


def limit_of(start_loss: float, target: float | None) -> float:
    """The loss under which a run has memorised the sample.

    Without a target a share of its start; NaN, which no loss lies under, where that is not
    above 0.
    """
    if target is not None:
        return target
    return FITTED_VARIANCE_SHARE * start_loss if start_loss > 0 else math.nan


def overfit_evidence(
    description: TaskDescription,
    history: Sequence[StepReport],
    trials: Sequence[TrialResult],
    zeroed_label: str,
) -> OverfitEvidence:
    """Reduce step 2's trials; those labelled ``zeroed_label`` saw zeroed inputs."""
    target = fitted_loss(description)
    runs = tuple(_run(trial, target) for trial in trials if trial.label != zeroed_label)
    zeroed = next(
        (trial.curve("loss").values for trial in trials if trial.label == zeroed_label), None
    )
    earlier, notes = found_before(history)
    evidence = OverfitEvidence(
        description=description,
        target=target,
        runs=runs,
        zeroed=zeroed,
        p_needs_input=None,
        earlier=earlier,
        notes=notes,
        sample_size=min(
            (
                trial.outcome.evaluations[-1].loss.n
                for trial in trials
                if trial.outcome.evaluations
            ),
            default=0,
        ),
        sample_digest=next((trial.outcome.sample_digest for trial in trials), None),
    )
    best = evidence.best
    if zeroed is None or best is None:
        return evidence
    p_value = probably_lower(best.losses[-TAIL_ITERATIONS:], zeroed[-TAIL_ITERATIONS:])
    return dataclasses.replace(evidence, p_needs_input=p_value)


def _run(trial: TrialResult, target: float | None) -> MemorisingRun:
    losses = trial.curve("loss").values
    accuracies = trial.curve("accuracy").values
    start = losses[0] if losses else math.nan
    end = median_of_last(losses, END_ITERATIONS)
    accuracy = median_of_last(accuracies, END_ITERATIONS) if accuracies else None
    limit = limit_of(start, target)
    params: Mapping[str, object] = trial.params
    return MemorisingRun(
        trial=trial.number,
        lr=float(str(params["lr"])),
        optimizer=str(params.get("optimizer", "")),
        init=str(params.get("init", "")),
        start_loss=start,
        end_loss=end if trial.outcome.cause is TrialCause.FINISHED else math.inf,
        end_accuracy=accuracy,
        iterations=trial.outcome.iterations,
        state=trial.outcome.state,
        cause=trial.outcome.cause,
        losses=losses,
        message=trial.outcome.message,
        fitted=trial.outcome.cause is TrialCause.FINISHED
        and end < limit
        and (accuracy is None or accuracy >= 1.0),
        seed=trial.seed,
    )
