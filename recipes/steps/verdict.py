"""From findings to a verdict: the same for every step."""

from __future__ import annotations

from collections.abc import Sequence

from recipes.finding import Finding, Severity
from recipes.step import StepState


def verdict_of(findings: Sequence[Finding]) -> StepState:
    """Failed with an error among the findings, warning with a warning, else passed."""
    severities = {finding.severity for finding in findings}
    if Severity.ERROR in severities:
        return StepState.FAILED
    return StepState.WARNING if Severity.WARNING in severities else StepState.PASSED


def leading_sentence(findings: Sequence[Finding], healthy: str) -> str:
    """The step's one sentence: the gravest finding's, else what was found in order.

    Args:
        findings: Gravest first, as ``rules.registry.findings`` gives them.
        healthy: What to say when nothing is wrong. It follows a warning's sentence too,
            because a warning goes on and its reader wants to know from where.
    """
    grave = [finding for finding in findings if finding.severity is not Severity.INFO]
    if not grave:
        return healthy
    if grave[0].severity is Severity.ERROR:
        return grave[0].sentence
    return f"{grave[0].sentence} {healthy}"
