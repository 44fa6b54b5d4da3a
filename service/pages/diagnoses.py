"""The findings of a step as a table of diagnoses: each once, with the trials it is said of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recipes.finding import Finding, Severity

WORST_FIRST = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One code. No trials: it is said of the step as a whole."""

    code: str
    severity: Severity
    trials: tuple[int, ...]
    confidence: str


def diagnoses(findings: Sequence[Finding]) -> list[Diagnosis]:
    """The diagnoses of single trials and of the whole, the worst and the most frequent first."""
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
    made = [_diagnosis(code, found) for code, found in by_code.items()]
    return sorted(made, key=lambda d: (WORST_FIRST.index(d.severity), -len(d.trials), d.code))


def _diagnosis(code: str, found: Sequence[Finding]) -> Diagnosis:
    severity = min((each.severity for each in found), key=WORST_FIRST.index)
    low, high = min(f.confidence for f in found), max(f.confidence for f in found)
    said = f"{low:.0%}" if f"{low:.0%}" == f"{high:.0%}" else f"{low:.0%} to {high:.0%}"
    trials = sorted({each.trial for each in found if each.trial is not None})
    return Diagnosis(code, severity, tuple(trials), said)
