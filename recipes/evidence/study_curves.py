"""The evidence of step 6 as a whole: the leading setting's curves among all the others'."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from recipes.description import TaskDescription
from recipes.evidence.curves import CurveEvidence
from recipes.evidence.lr_drop import LrDrop, lr_drop
from recipes.evidence.peers import Table
from recipes.evidence.trial_series import trial_series
from recipes.finding import Finding
from recipes.search.scoring import ranked
from recipes.step import StepContext, StepReport, TrialResult
from recipes.trial import TrialCause, TrialState

CONTENDER_ERRORS = 2.0
"""Standard errors of a difference of two settings, each with its own, within which they cannot
be told apart without pairing (notes on diagnosis, row 32: never rank within 2)."""


@dataclass(frozen=True)
class StudyCurves:
    """Curves to read.

    Attributes:
        leading: The setting that is best so far.
        repeats: Other runs of that setting that went as far, by number.
        others: This round's other trials, the best first, those without a value last.
    """

    description: TaskDescription
    leading: CurveEvidence
    repeats: tuple[CurveEvidence, ...]
    others: tuple[CurveEvidence, ...]

    @property
    def runs(self) -> tuple[CurveEvidence, ...]:
        """The runs of the leading setting."""
        return (self.leading, *self.repeats)

    @property
    def all(self) -> tuple[CurveEvidence, ...]:
        """Every trial that is read, the leading setting's first."""
        return (*self.runs, *self.others)

    @property
    def best_value(self) -> float:
        """The leading trial's metric on validation at its best epoch; NaN without one."""
        at = self.leading.best_epoch
        return float(self.leading.val.values[at]) if at else math.nan

    @property
    def best_error(self) -> float:
        """Its standard error, above 0 even where every sample is right; NaN when unknown."""
        at, val = self.leading.best_epoch, self.leading.val
        if not at:
            return math.nan
        return self.leading.metric.error(self.best_value, float(val.standard_errors[at]), val.n)

    @cached_property
    def num_contenders(self) -> int:
        """Other settings that two standard errors of the difference do not tell apart from it."""
        metric, best = self.leading.metric, self.best_value
        reach = CONTENDER_ERRORS * math.sqrt(2.0) * self.best_error
        return sum(
            bool(
                each.best_epoch
                and metric.gain(float(each.val.values[each.best_epoch]), best) <= reach
            )
            for each in self.others
        )


@dataclass(frozen=True)
class JudgedCurves:
    """A trial's curves with what the rules found: what ``healthy`` is judged from."""

    curves: CurveEvidence
    found: tuple[Finding, ...]


def leading_trial(context: StepContext) -> TrialResult | None:
    """The trial that stands for the best setting so far; None when no trial has a value.

    As the newest report with a result says it; before there is one, the best of the search.
    """
    by_number = {trial.number: trial for trial in context.search}
    results = [report.result for report in context.history if report.result is not None]
    if results and results[-1].best.trial in by_number:
        return by_number[results[-1].best.trial]
    order = ranked(context.search, context.description)
    return order[0].trial if order else None


def study_curves(context: StepContext, probes: Sequence[TrialResult]) -> StudyCurves | None:
    """Reduce this round's trials, and the leading one of whatever round.

    Args:
        context: With the trials of the searches and their curves.
        probes: LR-drop probes of the leading trial, the newest last.
    """
    leader = leading_trial(context)
    if leader is None:
        return None
    series = {trial.number: trial_series(trial) for trial in context.search}
    table = Table([each for each in series.values() if each.epochs])
    memorises = None if "overfit_lr" not in context.learned else True

    def evidence(number: int) -> CurveEvidence:
        own = series[number]
        return CurveEvidence(context.description, own, table.others(own), None, memorises)

    order = [each.number for each in ranked(context.search, context.description)]
    last = order + [number for number in series if number not in order]
    here = {trial.number for trial in context.search if trial.round == context.round}
    same = [
        number
        for number, each in series.items()
        if number != leader.number
        and each.params == leader.params
        and each.epochs >= series[leader.number].epochs
    ]
    others = [
        number
        for number in last
        if number in here and number != leader.number and number not in same
    ]
    leading = evidence(leader.number)
    drop = _drop(leading, probes, context.history)
    return StudyCurves(
        context.description,
        replace(leading, lr_drop=drop),
        tuple(replace(evidence(number), lr_drop=drop) for number in same),
        tuple(evidence(number) for number in others),
    )


def _drop(
    leading: CurveEvidence, probes: Sequence[TrialResult], history: Sequence[StepReport]
) -> LrDrop | None:
    """The probe of the leading trial: of this step run, else of an earlier round's."""
    for probe in reversed(probes):
        found = lr_drop(
            trial_series(probe),
            leading.series,
            noise=leading.epoch_noise,
            metric=leading.metric,
        )
        if found is not None:
            return found
    for report in reversed(history):
        stored = report.learned.get("lr_drop")
        if stored is not None and stored["of"] == leading.series.number:
            return LrDrop.model_validate(stored)
    return None


def has_finished(evidence: CurveEvidence) -> bool:
    """Whether the trial ran its whole length."""
    series = evidence.series
    return series.state is TrialState.COMPLETE and series.cause is TrialCause.FINISHED
