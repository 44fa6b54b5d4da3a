"""From findings to a verdict and a report: the same for every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recipes.evidence.search import SearchEvidence
from recipes.finding import Finding, Severity
from recipes.result import Result
from recipes.step import Action, Figure, Step, StepContext, StepReport, StepState
from recipes.value import Scalar
from recipes.words import plural


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


def nothing_found(
    evidence: SearchEvidence, findings: Sequence[Finding], *, search: str
) -> tuple[StepState, str]:
    """Verdict and sentence of a search none of whose trials has a value.

    Args:
        evidence: The search's.
        findings: Gravest first.
        search: What to call it.
    """
    if not evidence.trials:
        sentence = f"The budget was spent before a trial of the {search} could begin."
        return StepState.INCONCLUSIVE, sentence
    messages = [each.outcome.message or str(each.outcome.cause) for each in evidence.failed]
    return StepState.FAILED, leading_sentence(findings, "") or (
        f"None of {plural(len(evidence.trials), 'trial')} ended with a value: "
        f"{messages[0] if messages else 'they diverged'}"
    )


def step_report(
    step: Step,
    context: StepContext,
    verdict: StepState,
    sentence: str,
    *,
    evidence: Mapping[str, Scalar] | None = None,
    findings: Sequence[Finding] = (),
    action: Action | None = None,
    learned: Mapping[str, Any] | None = None,
    result: Result | None = None,
    figures: Sequence[Figure] = (),
    measured: Mapping[str, float] | None = None,
) -> StepReport:
    """A judged step's report, placed where its context stands.

    Args:
        step: Whose report it is.
        context: What was judged: gives round and pass.
        verdict: Its verdict, which is its state too.
        sentence: The verdict in words.
        evidence: Numbers and words the verdict rests on, by name.
        findings: Gravest first.
        action: The one thing to do next.
        learned: What later steps may read.
        result: The best so far, of a step that knows one.
        figures: Their data.
        measured: Times; never compared.
    """
    return StepReport(
        number=step.kind.number,
        kind=step.kind,
        round=context.round,
        pass_number=context.pass_number,
        state=verdict,
        verdict=verdict,
        sentence=sentence,
        evidence=dict(evidence or {}),
        findings=tuple(findings),
        action=action,
        learned=dict(learned or {}),
        result=result,
        figures=tuple(figures),
        measured=dict(measured or {}),
    )
