"""The evidence of step 3: what each fixed learning rate did to the loss on unseen samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from recipes.description import TaskDescription
from recipes.evidence.earlier import found_before
from recipes.expectation import baseline_loss, class_shares
from recipes.features import median_of_last
from recipes.finding import Finding
from recipes.outcome import ModeLosses
from recipes.step import StepReport, TrialResult
from recipes.trial import TrialCause, TrialState
from recipes.value import Number, Value

FALL_SHARE = 0.05
"""Least fall that counts, as a share of the loss it starts from. A hundred iterations on
shuffled labels take the train loss of digits down by 3 %: that is memory (method.md, step 3)."""

NUM_LONGER = 3
"""Rates that are tried for longer when none works."""

FALL_STANDARD_ERRORS = 2.0
"""Least fall in standard errors of the difference (two-sided 5 %)."""

RISE_SHARE = 0.10
"""A loss on unseen samples that rises by more than this (and by its noise) counts as exploding."""

SURE_ERRORS = 3.0
"""Standard errors above chance that an accuracy on unseen samples must lie to have been learned,
or below it to be wrong (row 37)."""

END_ITERATIONS = 20
"""Last iterations whose median is the train loss a rate ended with."""


class RateResult(StrEnum):
    """What a learning rate did."""

    EXPLODES = "explodes"
    FALLS = "falls"
    BARELY_MOVES = "barely moves"


class Rate(Value):
    """One learning rate's run. Stored in the report, so that a later pass goes on from it."""

    lr: Number
    result: RateResult
    trial: int
    loss_before: Number  # unseen samples, before the first iteration
    loss_after: Number  # the same samples, after the last; infinity when it diverged
    standard_error: Number  # of the difference
    train_before: Number
    train_after: Number
    update_ratio: Number  # median over tensors and iterations; NaN when not measured
    non_finite: bool
    dead_share: Number | None
    iterations: int = 0
    accuracy: Number = math.nan  # on unseen samples, after; NaN where there is none
    num_unseen: int = 0
    mode_losses: ModeLosses | None = None


@dataclass(frozen=True, slots=True)
class LrFinderEvidence:
    """Step 3's numbers.

    Attributes:
        rates: All rates tried in this round, earlier passes included, from low to high; of
            those that were tried for longer, that run.
        bare: Those tried without regularisation, when none works with it.
        regularisation: What that switches off, in words.
        task_range: The task's (or study's) own range, or None when the rate is fixed.
        hard: The range may not be left.
        fixed_lr: The rate the study fixes, if it does.
        overfit_lr: The rate that memorised the sample in step 2, if it ran.
        failed: Messages of runs that raised.
    """

    description: TaskDescription
    rates: tuple[Rate, ...]
    task_range: tuple[float, float] | None
    hard: bool
    fixed_lr: float | None
    overfit_lr: float | None
    earlier: tuple[str, ...]
    failed: tuple[str, ...]
    notes: Mapping[str, Finding] = field(default_factory=dict)
    bare: tuple[Rate, ...] = ()
    regularisation: tuple[str, ...] = ()

    @property
    def baseline(self) -> float | None:
        """The best constant prediction's loss, if known."""
        return baseline_loss(self.description)

    @property
    def lowest(self) -> Rate | None:
        """The rate with the lowest train loss after."""
        finite = [each for each in self.rates if math.isfinite(each.train_after)]
        return min(finite, key=lambda each: each.train_after, default=None)

    @property
    def candidates(self) -> list[float]:
        """When no rate works: those that may only want more iterations, at most three.

        The one next to what memorised the sample in step 2, and the lowest train losses.
        """
        alive = [each for each in self.rates if each.result is not RateResult.EXPLODES]
        chosen = sorted(alive, key=lambda each: each.train_after)[:NUM_LONGER]
        known = self.overfit_lr
        if known and alive:
            near = min(alive, key=lambda each: abs(math.log(each.lr / known)))
            chosen = [near, *(each for each in chosen if each is not near)][:NUM_LONGER]
        return sorted(each.lr for each in chosen)

    def with_result(self, result: RateResult) -> list[Rate]:
        """The rates that did that, from low to high."""
        return [rate for rate in self.rates if rate.result is result]

    @property
    def best(self) -> Rate | None:
        """The lowest falling rate within one standard error of the lowest loss on unseen samples.

        The one-standard-error rule (Breiman et al. 1984): among rates that cannot be told
        apart, the tamest. None when no rate makes the loss fall.
        """
        falling = self.with_result(RateResult.FALLS)
        if not falling:
            return None
        lowest = min(falling, key=lambda rate: rate.loss_after)
        noise = lowest.standard_error if math.isfinite(lowest.standard_error) else 0.0
        return next(rate for rate in falling if rate.loss_after <= lowest.loss_after + noise)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Lowest and highest rate of the unbroken run of falling rates around the best."""
        best = self.best
        if best is None:
            return None
        at = self.rates.index(best)
        low = high = at
        while low > 0 and self.rates[low - 1].result is RateResult.FALLS:
            low -= 1
        while high + 1 < len(self.rates) and self.rates[high + 1].result is RateResult.FALLS:
            high += 1
        return self.rates[low].lr, self.rates[high].lr

    @property
    def too_high(self) -> Rate | None:
        """The lowest rate above the interval: there the loss no longer falls, or explodes."""
        top = self.interval[1] if self.interval else 0.0
        return next((rate for rate in self.rates if rate.lr > top), None)

    @property
    def largest_train_fall(self) -> float:
        """The largest fall of the train loss, as a share of where it began."""
        falls = [
            (rate.train_before - rate.train_after) / abs(rate.train_before)
            for rate in self.rates
            if math.isfinite(rate.train_after) and rate.train_before
        ]
        return max(falls, default=0.0)

    @property
    def largest_update_ratio(self) -> float:
        """The largest update-to-weight ratio of the rates that did not explode; NaN if unknown."""
        ratios = [
            rate.update_ratio
            for rate in self.rates
            if rate.result is not RateResult.EXPLODES and not math.isnan(rate.update_ratio)
        ]
        return max(ratios, default=math.nan)


def lr_finder_evidence(
    description: TaskDescription,
    history: Sequence[StepReport],
    trials: Sequence[TrialResult],
    *,
    earlier_rates: Sequence[Rate],
    bare_label: str,
    task_range: tuple[float, float] | None,
    hard: bool,
    fixed_lr: float | None,
    overfit_lr: float | None,
) -> LrFinderEvidence:
    """Reduce step 3's trials; those that raised an error are kept apart.

    Args:
        bare_label: Of the trials without regularisation.
    """
    ran = [trial for trial in trials if trial.outcome.state is TrialState.COMPLETE]
    with_it = [trial for trial in ran if trial.label != bare_label]
    bare = [trial for trial in ran if trial.label == bare_label]
    longest: dict[float, Rate] = {}
    for rate in (*earlier_rates, *(_rate(trial, description) for trial in with_it)):
        known = longest.get(rate.lr)
        if known is None or rate.iterations >= known.iterations:
            longest[rate.lr] = rate
    if not any(rate.result is RateResult.FALLS for rate in longest.values()):
        longest = {lr: _by_accuracy(rate, description) for lr, rate in longest.items()}
    earlier, notes = found_before(history)
    return LrFinderEvidence(
        description=description,
        rates=tuple(sorted(longest.values(), key=lambda rate: rate.lr)),
        task_range=task_range,
        hard=hard,
        fixed_lr=fixed_lr,
        overfit_lr=overfit_lr,
        earlier=earlier,
        notes=notes,
        bare=tuple(_rate(trial, description) for trial in bare),
        regularisation=tuple(dict.fromkeys(each for t in bare for each in t.outcome.switched_off)),
        failed=tuple(
            trial.outcome.message or str(trial.outcome.cause)
            for trial in trials
            if trial.outcome.state is not TrialState.COMPLETE
        ),
    )


def _rate(trial: TrialResult, description: TaskDescription) -> Rate:
    outcome = trial.outcome
    before = outcome.evaluation("val", last=False)
    after = outcome.evaluation("val")
    finished = outcome.cause is TrialCause.FINISHED and before is not None and after is not None
    loss_before = before.loss.mean if before else math.nan
    loss_after = after.loss.mean if finished and after else math.inf
    standard_error = (
        math.hypot(before.loss.standard_error, after.loss.standard_error)
        if before and after
        else math.nan
    )
    train = trial.curve("loss").values
    train_before = train[0] if train else math.nan
    train_after = median_of_last(train, END_ITERATIONS) if finished else math.inf
    ratios = trial.curve("update_ratio").values
    params: Mapping[str, object] = trial.params
    accuracy = after.metrics.get("accuracy") if finished and after else None
    return Rate(
        lr=float(str(params["lr"])),
        result=judge_rate(
            loss_before,
            loss_after,
            standard_error,
            baseline_loss(description),
            train_rise=_rise(train_before, train_after),
        ),
        trial=trial.number,
        loss_before=loss_before,
        loss_after=loss_after,
        standard_error=standard_error,
        train_before=train_before,
        train_after=train_after,
        update_ratio=median_of_last(ratios, len(ratios)) if ratios else math.nan,
        non_finite=outcome.cause is TrialCause.NON_FINITE,
        dead_share=outcome.dead_share,
        iterations=outcome.iterations,
        accuracy=math.nan if accuracy is None else accuracy.mean,
        num_unseen=after.loss.n if after else 0,
        mode_losses=outcome.mode_losses,
    )


def _by_accuracy(rate: Rate, description: TaskDescription) -> Rate:
    """A rate judged by its accuracy, where none makes the loss fall: a model that learned and
    is too sure of itself is right more often than by chance all the same."""
    if rate.result is not RateResult.BARELY_MOVES:
        return rate
    majority = max(class_shares(description), default=math.nan)
    error = _chance_error(majority, rate.num_unseen)
    learned = rate.accuracy > majority + SURE_ERRORS * error
    return rate.model_copy(update={"result": RateResult.FALLS}) if learned else rate


def _chance_error(share: float, n: int) -> float:
    """Standard error of an accuracy of that share over n samples; NaN of none."""
    return math.sqrt(share * (1 - share) / n) if n else math.nan


def judge_rate(
    before: float,
    after: float,
    standard_error: float,
    baseline: float | None,
    *,
    train_rise: float = math.inf,
) -> RateResult:
    """Whether the loss on unseen samples explodes, falls or barely moves.

    A fall counts from the loss it starts at or from the best constant prediction's,
    whichever is lower: coming down from a bad initial scale to chance is not learning. A
    rise counts when the train loss rises too: alone it is memory, or a batch norm whose
    running statistics are only now being filled.

    Args:
        before: Mean loss on unseen samples before the first iteration.
        after: The same after the last; not finite when the run diverged.
        standard_error: Of the difference; NaN when unknown.
        baseline: The best constant prediction's loss, if known.
        train_rise: How much the train loss rose, as a share of where it began.
    """
    noise = FALL_STANDARD_ERRORS * standard_error if math.isfinite(standard_error) else 0.0
    if not math.isfinite(after):
        return RateResult.EXPLODES
    if after - before > max(noise, RISE_SHARE * abs(before)) and train_rise > RISE_SHARE:
        return RateResult.EXPLODES
    start = before if baseline is None else min(before, baseline)
    if start - after > max(noise, FALL_SHARE * abs(start)):
        return RateResult.FALLS
    return RateResult.BARELY_MOVES


def _rise(before: float, after: float) -> float:
    """By which share of itself a train loss rose; infinite when either end is not finite."""
    if not (math.isfinite(before) and math.isfinite(after)):
        return math.inf
    return (after - before) / abs(before) if before else math.inf
