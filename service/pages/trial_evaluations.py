"""A trial's evaluations as rows: the first, the best and the last of each split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recipes.outcome import Initialisation
from recipes.trial import TrialCause
from service.views.format import estimate, words
from service.views.models import EvaluationView, TrialView

FAILED_BY: Mapping[str, str] = {
    "error": "It failed: the task raised an error.",
    "out_of_memory": "It failed: the device ran out of memory.",
    "lost": "It failed: its workers were lost, one after the other.",
}
"""Why a trial failed, by its cause. A loss that is no number is a result, and no failure."""


@dataclass(frozen=True, slots=True)
class BestEpoch:
    """The epoch at which a trial was best on ``val``, by the task's objective."""

    epoch: int
    iteration: int
    metric: str


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """One metric of one evaluation. ``epoch`` is None where runs are told in iterations."""

    split: str
    epoch: int | None
    iteration: int
    metric: str
    mean: float
    standard_error: float
    n: int
    note: str  # which of its split's evaluations it is, where that matters


def best_epoch(trial: TrialView) -> BestEpoch | None:
    """Where a trial was best; None where it has no value, or is not told in epochs.

    The objective is the metric whose mean at that epoch is the trial's value.
    """
    on_val = [each for each in trial.evaluations if each.split == "val"]
    if trial.best_epoch is None or trial.best_epoch >= len(on_val):
        return None
    evaluation = on_val[trial.best_epoch]
    for name, metric in evaluation.metrics.items():
        if metric.mean == trial.value:
            return BestEpoch(trial.best_epoch, evaluation.iteration, name)
    return None


def evaluation_rows(trial: TrialView) -> tuple[list[EvaluationRow], int]:
    """First, best and last evaluation of each split, and how many are left out.

    Those with the best epoch's weights follow: the test split's is among them.
    """
    best = best_epoch(trial)
    rows: list[EvaluationRow] = []
    left_out = 0
    for split in dict.fromkeys(each.split for each in trial.evaluations):
        own = [each for each in trial.evaluations if each.split == split]
        kept = {0, len(own) - 1}
        if best is not None and best.epoch < len(own):
            kept.add(best.epoch)
        left_out += len(own) - len(kept)
        for place in sorted(kept):
            is_best = best is not None and split == "val" and place == best.epoch
            rows += _rows(own[place], place if len(own) > 2 else None, "best" if is_best else "")
    for evaluation in trial.at_best:
        rows += _rows(evaluation, trial.snapshot_epoch, "best epoch's weights")
    return rows, left_out


def _rows(evaluation: EvaluationView, epoch: int | None, note: str) -> list[EvaluationRow]:
    return [
        EvaluationRow(
            split=evaluation.split,
            epoch=epoch,
            iteration=evaluation.iteration,
            metric=name,
            mean=found.mean,
            standard_error=found.standard_error,
            n=found.n,
            note=note,
        )
        for name, found in evaluation.metrics.items()
    ]


def trial_sentence(trial: TrialView, initial: Initialisation | None = None) -> str:
    """What became of a trial, or where it is.

    Args:
        trial: Which.
        initial: What it measured of the untrained model, if it did.
    """
    best = best_epoch(trial)
    if trial.value is not None and best is not None:
        value = estimate(trial.value, trial.standard_error)
        return (
            f"{words(best.metric).capitalize()} {value} on validation at epoch {best.epoch} of"
            f" {trial.num_epochs}{_ending(trial)}."
        )
    if trial.cause is TrialCause.NON_FINITE:
        return "It diverged: the loss was no finite number any more."
    if trial.cause is TrialCause.DIVERGED:
        return "It diverged: the loss rose far beyond what it was before training."
    if initial is not None and trial.iterations == 0:
        value = estimate(initial.loss.mean, initial.loss.standard_error)
        return f"Loss {value} before any training, on {initial.loss.n:,} samples."
    if not trial.state.has_ended:
        return "It is being trained." if trial.state.value == "running" else "It waits."
    if trial.state.value == "failed":
        return FAILED_BY.get(trial.cause.value if trial.cause else "", "It failed.")
    if trial.state.value == "cancelled":
        return "It was cancelled with its study."
    if trial.evaluations:
        last = trial.evaluations[-1]
        name, found = next(iter(last.metrics.items()))
        value = estimate(found.mean, found.standard_error)
        return f"{words(name).capitalize()} {value} on {last.split} at the end."
    return "It ended without an evaluation."


def _ending(trial: TrialView) -> str:
    match trial.state.value:
        case "waiting":
            return "; it waits whether the search goes on with it"
        case "pruned":
            return "; the search ended it early, as others were ahead"
        case "running":
            return " so far"
    return ""
