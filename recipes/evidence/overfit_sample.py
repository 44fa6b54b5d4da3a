"""The evidence of step 2: how well a small sample was memorised, setting by setting."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recipes.description import TaskDescription
from recipes.expectation import baseline_loss
from recipes.features import median_of_last, probably_lower
from recipes.step import StepReport, TrialResult
from recipes.trial import TrialCause, TrialState

FITTED_LOSS = 0.05
"""Cross-entropy under which a sample counts as memorised (notes/diagnosis.md, row 10)."""

FITTED_VARIANCE_SHARE = 0.01
"""The same for squared errors, as a share of the targets' variance (method.md, step 2)."""

TAIL_ITERATIONS = 100
"""Iterations compared between real and zeroed inputs (TheDeepChecker, via row 11)."""

END_ITERATIONS = 5
"""Iterations whose median is the loss a run ended with."""


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


@dataclass(frozen=True, slots=True)
class OverfitEvidence:
    """Step 2's numbers.

    Attributes:
        target: Loss that counts as memorised, in the loss's own unit; None when it is unknown
            and a hundredth of the starting loss stands in for it.
        runs: All settings tried, in order.
        zeroed: Losses of the best setting on zeroed inputs; None before it ran.
        p_needs_input: p of "real inputs do no better than zeroed ones"; None before it ran.
        earlier: Codes of step 1's findings, for naming causes.
    """

    description: TaskDescription
    target: float | None
    runs: tuple[MemorisingRun, ...]
    zeroed: tuple[float, ...] | None
    p_needs_input: float | None
    earlier: tuple[str, ...]
    sample_size: int
    sample_digest: str | None

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
    def chance(self) -> float | None:
        """The best constant prediction's loss."""
        return baseline_loss(self.description)


def fitted_loss(description: TaskDescription) -> float | None:
    """The train loss under which the sample counts as memorised; None when it is unknown."""
    if description.kind == "regression" and not description.own_loss:
        return FITTED_VARIANCE_SHARE * description.targets.variance
    if description.kind == "custom" or description.kind == "regression":
        return None
    return FITTED_LOSS


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
    evidence = OverfitEvidence(
        description=description,
        target=target,
        runs=runs,
        zeroed=zeroed,
        p_needs_input=None,
        earlier=tuple(finding.code for report in history for finding in report.findings),
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
    limit = target if target is not None else FITTED_VARIANCE_SHARE * start
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
    )
