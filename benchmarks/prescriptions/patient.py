"""One sick study carried out: diagnosed as it is, then with the first prescription.

Nothing here judges or prescribes. The product's steps plan, its loop trains, its rules find,
and ``recipes.prescription`` applies what the first finding says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.prescriptions.studies import SickStudy
from recipes.evidence.curves import CurveEvidence
from recipes.evidence.trial_series import trial_series
from recipes.finding import Finding, Severity
from recipes.prescription import Prescription, Setting, first_prescription
from recipes.readings import read
from recipes.result import Best, Result
from recipes.search.runs import job_plans
from recipes.search.scoring import score
from recipes.seeds import derive_seed
from recipes.step import StepKind, StepPlan, StepReport, StepState, TrialPlan
from recipes.trial import TrialPurpose
from tests.in_process import Study

SEEDS = 5
"""Runs before, and as many with new seeds after."""

LEAST_ERRORS = 2.0
"""Pooled standard errors of the difference that count as more than noise (two-sided 5 %)."""

T_95 = 2.776
"""Student's t for a 95 % interval of a mean of five."""

FINE = (5, 1, 1)
CURVES = (6, 1, 1)
"""Step, round and pass."""


@dataclass(frozen=True)
class Outcome:
    """What came of a study.

    Attributes:
        metric: What values are.
        findings: Codes of what warned, the gravest first, as the diagnosis has them.
        prescription: The first; None when no finding named a change that can be made.
        before: Values of the runs as they were, one a seed.
        after: With the prescription; empty without one.
    """

    study: SickStudy
    metric: str
    higher_is_better: bool
    findings: tuple[Finding, ...]
    prescription: Prescription | None
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def gain(self) -> float:
        """How much better the mean became; NaN without a prescription."""
        if not self.after:
            return math.nan
        sign = 1.0 if self.higher_is_better else -1.0
        return sign * float(np.mean(self.after) - np.mean(self.before))

    @property
    def error(self) -> float:
        """Pooled standard error of the difference of the two means; NaN without one."""
        if not self.after:
            return math.nan
        pooled = (np.var(self.before, ddof=1) + np.var(self.after, ddof=1)) / 2
        return math.sqrt(float(pooled) * (1 / len(self.before) + 1 / len(self.after)))

    @property
    def is_better(self) -> bool:
        """Whether it helped by more than noise."""
        return self.gain > LEAST_ERRORS * self.error  # false for NaN


def interval(values: tuple[float, ...]) -> float:
    """Half the width of the mean's 95 % interval (Student's t)."""
    return T_95 * float(np.std(values, ddof=1)) / math.sqrt(len(values))


def treat(study: SickStudy, *, seed: int = 0) -> Outcome:
    """Carry a study out."""
    patient = _Patient(study, seed)
    findings = patient.diagnose()
    before = patient.values
    own = Setting(params=study.setting, epochs=study.epochs)
    prescription = first_prescription(findings, own, patient.description.space)
    after: tuple[float, ...] = ()
    if prescription is not None:
        after = tuple(patient.train(prescription.setting, "after"))
    task = patient.description
    return Outcome(
        study,
        task.metric,
        task.direction == "maximize",
        tuple(each for each in findings if each.severity is not Severity.INFO),
        prescription,
        before,
        after,
    )


class _Patient(Study):
    """The study of one setting: steps 1 to 3, its runs, and step 6."""

    def __init__(self, study: SickStudy, seed: int) -> None:
        fixed = {name: value for name, value in study.setting.items() if name != "lr"}
        super().__init__(study.task(), seed=seed, steps=(1, 2, 3), set=fixed)
        self.sick = study
        self.values: tuple[float, ...] = ()

    def diagnose(self) -> list[Finding]:
        """What the product says of it, errors first, else in the order of the steps.

        A gate that fails ends the diagnosis, as in the product.
        """
        reports = self.run()
        found = [finding for report in reports for finding in report.findings]
        first = len(self.trials)
        own = Setting(params=self.sick.setting, epochs=self.sick.epochs)
        self.values = tuple(self.train(own, "before"))
        if reports[-1].verdict is not StepState.FAILED:
            found += self._read(first)
        order = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
        return sorted(found, key=lambda each: order[each.severity] > 0)

    def train(self, setting: Setting, when: str) -> list[float]:
        """Runs of a setting with seeds of their own; their values.

        A run without a value, for it exploded, counts as the untrained model that it has
        left its owner with.
        """
        context = self.context(FINE, self.spent())
        first = len(self.trials)
        trials = [
            TrialPlan(
                params=setting.params,
                seed=derive_seed(self.config.seed, when, index, "weights"),
                data_seed=derive_seed(self.config.seed, when, index, "data"),
                purpose=TrialPurpose.SEARCH,
                label=when,
            )
            for index in range(SEEDS)
        ]
        plan = StepPlan(job_plans(context, trials, epochs=setting.epochs, keep_snapshot=True))
        for job, numbers in zip(plan.jobs, plan.numbers(first), strict=True):
            self._train(job, numbers, FINE)
        return [self._value(number) for number in range(first, len(self.trials))]

    def _value(self, number: int) -> float:
        scored = score(self.trials[number], self.description)
        if scored is not None:
            return scored.value
        untrained = self.trials[number].outcome.evaluation("val", last=False)
        assert untrained is not None
        return untrained.metrics[self.description.metric].mean

    def _read(self, first: int) -> list[Finding]:
        """Step 6 with the first run that has a value as the leading one."""
        runs = range(first, first + SEEDS)
        scored = [
            each
            for number in runs
            if (each := score(self.trials[number], self.description)) is not None
        ]
        if not scored:
            series = trial_series(self.trials[first])
            memorises = True if self._has_learned("overfit_lr") else None
            return list(read(CurveEvidence(self.description, series, (), None, memorises)))
        best = Best(
            trial=scored[0].number,
            params=dict(self.sick.setting),
            metric=self.description.metric,
            direction=self.description.direction,
            value=scored[0].value,
            standard_error=scored[0].standard_error,
            n=scored[0].n,
            num_candidates=1,
            num_seeds=len(scored),
            epoch=scored[0].epoch,
            epochs=scored[0].epochs,
        )
        self.history.append(
            StepReport(
                number=FINE[0],
                kind=StepKind.FINE_SEARCH,
                round=FINE[1],
                pass_number=FINE[2],
                state=StepState.PASSED,
                verdict=StepState.PASSED,
                result=Result(best=best),
            )
        )
        found = list(self.step(*CURVES).findings)
        whole = [each for each in found if each.trial is None]
        said = {each.code for each in whole}
        return [*whole, *(each for each in found if each.trial and each.code not in said)]

    def _has_learned(self, name: str) -> bool:
        return any(name in report.learned for report in self.history)
