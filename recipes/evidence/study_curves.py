"""The evidence of step 6 as a whole: the leading setting's curves among all the others'."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from recipes.description import TaskDescription
from recipes.evidence.curves import CurveEvidence
from recipes.evidence.lr_drop import LrDrop, lr_drop
from recipes.evidence.peers import Table
from recipes.evidence.trial_series import trial_series
from recipes.finding import Finding
from recipes.search.memory import kept
from recipes.search.scoring import ranked
from recipes.step import StepContext, StepReport, TrialResult
from recipes.trial import TrialCause, TrialState

CONTENDER_ERRORS = 2.0
"""Standard errors of a difference of two settings, each with its own, within which they cannot
be told apart without pairing (notes on diagnosis, row 32: never rank within 2)."""

MOST_READ = 200
"""Of a round's trials the best so many are read, and so many of those without a value: what is
said of a setting and its neighbours does not hang on the ten-thousandth."""


@dataclass(frozen=True)
class StudyCurves:
    """Curves to read.

    Attributes:
        leading: The setting that is best so far.
        repeats: Other runs of that setting that went as far, by number; of other rounds its
            repeats.
        others: This round's other trials (``trials_read``), the best first, those without a
            value last.
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
    number = best_number(context.history)
    found = next((trial for trial in context.search if trial.number == number), None)
    if found is not None:
        return found
    order = ranked(context.search, context.description)
    return order[0].trial if order else None


def best_number(history: Sequence[StepReport]) -> int | None:
    """The trial of the best setting so far, as the newest report with a result names it."""
    return next((each.result.best.trial for each in reversed(history) if each.result), None)


def trials_read(context: StepContext, most: int = MOST_READ) -> list[TrialResult]:
    """The trials of the searches that step 6 looks at, by number.

    Those of its own round, but of a great many the ``most`` best, and as many without a value,
    the first. Of other rounds the leading trial and what every later step looks back
    at (``recipes.search.memory``), so that a round costs what the first one did.
    """
    here = [trial for trial in context.search if trial.round == context.round]
    order = [each.number for each in ranked(here, context.description)]
    valued = set(order)
    lost = [trial.number for trial in here if trial.number not in valued]
    numbers = {*order[:most], *lost[:most]}
    runs: dict[tuple[int, int, int], list[TrialResult]] = defaultdict(list)
    for trial in context.search:
        runs[trial.step, trial.round, trial.pass_number].append(trial)
    for trials in runs.values():
        numbers |= kept(trials, context.description)
    leader = leading_trial(context)
    if leader is not None:
        numbers.add(leader.number)
    return [trial for trial in context.search if trial.number in numbers]


def study_curves(
    context: StepContext, probes: Sequence[TrialResult], *, most: int = MOST_READ
) -> StudyCurves | None:
    """Reduce this round's trials, and the leading one of whatever round.

    Args:
        context: With the trials of the searches and their curves.
        probes: LR-drop probes of the leading trial, the newest last.
        most: As for ``trials_read``.
    """
    leader = leading_trial(context)
    if leader is None:
        return None
    search = trials_read(context, most)
    series = {trial.number: trial_series(trial) for trial in search}
    table = Table([each for each in series.values() if each.epochs])
    memorises = None if "overfit_lr" not in context.learned else True

    def evidence(number: int) -> CurveEvidence:
        own = series[number]
        return CurveEvidence(context.description, own, table.others(own), None, memorises)

    order = [each.number for each in ranked(search, context.description)]
    valued = set(order)
    last = order + [number for number in series if number not in valued]
    here = {trial.number for trial in search if trial.round == context.round}
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
