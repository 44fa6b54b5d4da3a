"""What a command says once its study has ended, or waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipes.finding import Finding, Severity
from recipes.result import Result
from recipes.step import StepKind, StepReport, StepState
from recipes.study import StudyState
from recipes.words import plural, rate
from service.commands.wording import best_value, incumbent, setting, test_value, tied
from service.views.format import duration, mark

if TYPE_CHECKING:
    from service.views.models import StudyReport

REASONS = {
    "budget": "the budget is spent",
    "rounds": "all its rounds are done",
    "perfect": "every validation sample is right, and nothing can better it",
    "no_gain": "the last rounds gained nothing beyond the noise",
    "advice_exhausted": "there is no advice left that was not tried",
    "skipped": "its last change was skipped",
    "no_value": "no setting ended with a value to go on from",
}
"""Why a study is complete, in words; another reason is shown as it is."""


def result_of(steps: Sequence[StepReport]) -> Result | None:
    """What a study concluded: the newest report's result."""
    return next((each.result for each in reversed(steps) if each.result is not None), None)


def ending_lines(report: StudyReport) -> list[str]:
    """The end of a study in lines: how it ended, the best setting, what it is worth.

    Verdicts are not repeated: they were told as they came. What it took is its active time, as
    its budget counts it: without what it waited for a person, and with every run of a step.
    """
    took = duration(report.budget.used.wall_seconds)
    lines = [f"{_how_it_ended(report)} It took {took}."]
    if report.problem is not None:
        problem = report.problem
        lines += [f"{problem.where}{problem.message}", f"Cure: {problem.cure}"]
    result = result_of(report.steps)
    if result is not None:
        lines += _result_lines(result)
    elif (interval := _interval(report.steps)) is not None:
        lines.append(interval)
    if report.findings:
        lines.append(f"Findings: {_findings(report.findings)}.")
    return lines


def _how_it_ended(report: StudyReport) -> str:
    reason = report.reason or ""
    match report.state:
        case StudyState.COMPLETED if reason == "finished":
            return f"Finished: {_verdicts(report.steps)}."
        case StudyState.COMPLETED:
            return f"Finished: {REASONS.get(reason, reason)}."
        case StudyState.NEEDS_ACTION:
            return f"Stopped after step {report.steps[-1].number}: it needs you."
        case StudyState.CANCELLED:
            return "Cancelled. What it measured is kept."
        case StudyState.FAILED if report.problem is not None:
            return "Failed: the task cannot be used."
        case _:
            return f"{report.state.value.capitalize()}: {reason}."


def _verdicts(steps: Sequence[StepReport]) -> str:
    """``steps 1 and 2 passed``, or which of them did not."""
    latest = {each.number: each for each in steps}
    numbers = sorted(latest)
    others = [n for n in numbers if latest[n].state is not StepState.PASSED]
    which = f"step {numbers[0]}"
    if len(numbers) > 1:
        which = f"steps {numbers[0]} {'and' if len(numbers) == 2 else 'to'} {numbers[-1]}"
    if not others:
        return f"{which} passed"
    named = ", ".join(f"step {n}: {mark(latest[n].state).word}" for n in others)
    return f"{which} done ({named})"


def _result_lines(result: Result) -> list[str]:
    best = result.best
    lines = [f"Best setting (trial {best.trial}): {setting(best.params)}", f"  {best_value(best)}"]
    if others := tied(best):
        lines.append(f"  {others}")
    if result.incumbent is not None:
        lines.append(f"  {incumbent(result.incumbent)}")
    if result.test is not None:
        lines.append(f"Test: {test_value(result.test)}.")
    if result.not_tried:
        lines.append("Left out:")
        lines += [f"  {each}" for each in result.not_tried]
    return lines


def _interval(steps: Sequence[StepReport]) -> str | None:
    """What step 3 learned, for a study that ends with it."""
    finder = next((each for each in reversed(steps) if each.kind is StepKind.LR_FINDER), None)
    if finder is None or finder.state is StepState.STALE:
        return None
    if "lr_best" not in finder.learned:
        return None
    low, high, best = (rate(finder.learned[name]) for name in ("lr_low", "lr_high", "lr_best"))
    return f"Learning rates that make the loss fall: {low} to {high}; best {best}."


def _findings(found: Sequence[Finding]) -> str:
    """Codes by severity, the worst first, each once: how often depends on how much was tried."""
    told = (Severity.ERROR, Severity.WARNING)
    by_severity = [each.code for wanted in told for each in found if each.severity is wanted]
    parts = list(dict.fromkeys(by_severity))
    num_notes = sum(each.severity is Severity.INFO for each in found)
    if num_notes:
        parts.append(plural(num_notes, "note"))
    return ", ".join(parts)
