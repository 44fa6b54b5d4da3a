"""Reading curves: the rules' findings for one trial, and put together for a study."""

from __future__ import annotations

from collections.abc import Sequence

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.study_curves import JudgedCurves, StudyCurves
from recipes.finding import Finding, Severity
from recipes.rules.registry import all_rules, findings
from recipes.trial import TrialCause
from recipes.words import plural

NOTES = ("healthy", "inconclusive")
"""What a reading says when no rule warned."""

FINDINGS_PER_TRIAL = 3
BEST_TRIALS = 10
ENDED_TRIALS = 10
"""How much of single trials a report keeps: the leading findings of the best ones, and why the
first few that exploded did. Errors are always kept."""

EXPLODED = (TrialCause.DIVERGED, TrialCause.NON_FINITE)

LONG_ENOUGH = 8
"""Epochs from which a trial counts where it is said how many show a finding: the gate of the
rules on fit (notes on diagnosis, precedence)."""


def read(evidence: CurveEvidence) -> tuple[Finding, ...]:
    """What a trial's curves show, gravest first; ends with ``healthy`` or ``inconclusive``
    when no rule warned."""
    found = findings(evidence)
    return (*found, *findings(JudgedCurves(evidence, found)))


class StudyReading:
    """Every trial of a study read once.

    Args:
        study: The trials.
    """

    def __init__(self, study: StudyCurves) -> None:
        self._study = study
        self._readings = {each.series.number: read(each) for each in study.all}

    def as_a_whole(self) -> tuple[Finding, ...]:
        """The leading setting's findings, gravest first, each with how many trials share it.

        With several runs of that setting a finding counts when at least half of them show
        it; the words are those of the first run that does.
        """
        readings = [self._readings[each.series.number] for each in self._study.runs]
        codes = dict.fromkeys(each.code for reading in readings for each in reading)
        shared: list[Finding] = []
        for code in codes:
            showing = [own for reading in readings if (own := _of_code(reading, code)) is not None]
            if 2 * len(showing) >= len(readings):
                shared.append(self._with_counts(showing[0], num_runs=len(showing)))
        if not any(each.code in NOTES or each.severity is not Severity.INFO for each in shared):
            shared = list(readings[0])  # the runs agree on nothing
        found = [*findings(self._study), *shared]
        if any(each.severity is not Severity.INFO for each in found):
            found = [each for each in found if each.code not in NOTES]
        return tuple(sorted(found, key=_gravity))

    def by_trial(self) -> tuple[Finding, ...]:
        """Single trials' findings: the best ones' leading three, and why some exploded."""
        found: list[Finding] = []
        num_exploded = 0
        for place, evidence in enumerate(self._study.all):
            number = evidence.series.number
            reading = [each for each in self._readings[number] if each.code != "inconclusive"]
            if evidence.series.cause in EXPLODED:
                num_exploded += 1
                kept = reading[:1] if num_exploded <= ENDED_TRIALS else []
            else:
                kept = reading[:FINDINGS_PER_TRIAL] if place < BEST_TRIALS else []
            errors = [each for each in reading if each.severity is Severity.ERROR]
            kept += [each for each in errors if each not in kept]
            found += [each.model_copy(update={"trial": number}) for each in kept]
        return tuple(found)

    def _with_counts(self, finding: Finding, *, num_runs: int) -> Finding:
        """The finding with how many runs of the setting, and how many trials, show it."""
        if finding.code in NOTES:
            return finding
        long = [each.series.number for each in self._study.all if each.epochs >= LONG_ENOUGH]
        own = [_of_code(self._readings[number], finding.code) for number in long]
        showing = sum(each is not None and each.severity is not Severity.INFO for each in own)
        words = ""
        is_probed = finding.evidence.get("probe") == "confirmed"  # only one trial ever is
        if showing and len(long) > 1 and not is_probed:
            verb = "shows" if showing == 1 else "show"
            words = (
                f" {showing} of {plural(len(long), 'trial')} with {LONG_ENOUGH} epochs or more "
                f"{verb} it."
            )
        counts = {
            "num_runs_showing": num_runs,
            "num_runs": len(self._study.runs),
            "num_trials_showing": showing,
            "num_trials": len(long),
        }
        return finding.model_copy(
            update={
                "sentence": finding.sentence + words,
                "evidence": {**finding.evidence, **counts},
            }
        )


def _of_code(reading: Sequence[Finding], code: str) -> Finding | None:
    return next((each for each in reading if each.code == code), None)


def _gravity(finding: Finding) -> tuple[int, int]:
    order = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
    # A code may have rules on other evidence too: dead units at the start come before the rate.
    precedence = min(
        rule.precedence
        for rule in all_rules()
        if rule.code == finding.code
        and rule.evidence in (CurveEvidence, JudgedCurves, StudyCurves)
    )
    return order[finding.severity], precedence
