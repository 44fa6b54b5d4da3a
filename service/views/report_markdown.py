"""A study's report in Markdown, to be read, mailed or kept beside the code."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from recipes.budget import Budget, Spent
from recipes.hypothesis import EffectKind
from recipes.result import Best, Compared
from recipes.search.summary import value_text
from recipes.space import ParameterValue
from recipes.step import StepReport, StepState
from recipes.words import listing, plural
from service.views import results
from service.views.format import STEP_NAMES, estimate
from service.views.models import RoundView, StudyReport, TrialSummary
from service.views.reports import FIRST_SEARCH

SHOWN_TRIALS = 10
"""Trials in the table of what was tried; all of them are in ``trials.csv``."""
SPECIAL = re.compile(r"([\\`*{}\[\]<>#|~])")
HELPED = {
    EffectKind.CONFIRMED: "It helped, as expected.",
    EffectKind.LIKELY: "It likely helped: kept, not shown.",
    EffectKind.REFUTED: "It did not help.",
    EffectKind.UNTESTED: "It could not be told whether it helped.",
}


def markdown(report: StudyReport) -> str:
    """The report as a Markdown document."""
    parts = (
        _head(report),
        _result(report),
        _steps(report.steps),
        _tried(report),
        _changes(report.rounds),
        _not_tried(report),
        _spent(report.budget.allowed, report.budget.used),
        _repeat(report),
    )
    return "\n".join(line for part in parts for line in part)


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _head(report: StudyReport) -> Iterator[str]:
    yield f"# {plain(report.name)}"
    yield ""
    reason = f": {plain(report.reason)}" if report.reason else ""
    yield f"Study `{report.id}` is {report.state.value}{reason}."
    yield f"Task {plain(report.task)}, seed {report.seed}, begun {report.created_at:%Y-%m-%d}."
    if report.problem is not None:
        yield ""
        yield f"The task cannot be used: {plain(report.problem.message)}"
        yield f"What to do: {plain(report.problem.cure)}"
    yield ""


def _result(report: StudyReport) -> Iterator[str]:
    yield "## Result"
    yield ""
    best = report.best
    if best is None:
        yield "No search has ended yet, so there is no best setting."
        yield ""
        return
    value = estimate(best.value, best.standard_error)
    where = results.best_sentence(best)
    yield plain(f"{best.metric.capitalize()} {value}: {where[0].lower()}{where[1:]}")
    interval = results.interval(best.value, best.standard_error, best.metric)
    yield f"95 % interval: {interval}."
    yield ""
    yield from _settings(best, report.incumbent)
    others = [f"trial {trial}" for trial in best.tied if trial != best.trial]
    if others:
        yield f"It cannot be told apart from {listing(others)}."
        yield ""
    if report.incumbent is not None:
        found = report.incumbent
        value = estimate(found.value, found.standard_error)
        yield f"Your present setting: {value}. {plain(found.sentence)}"
        yield ""
    if report.test is not None:
        yield f"Test: {plain(results.test_sentence(report.test))}"
        yield ""


def _settings(best: Best, incumbent: Compared | None) -> Iterator[str]:
    own: Mapping[str, ParameterValue] = incumbent.params if incumbent else {}
    columns = ["hyperparameter", f"best (trial {best.trial})"]
    if incumbent is not None:
        columns.append(f"yours (trial {incumbent.trial})")
    yield from _table(
        columns,
        (
            [
                plain(name),
                plain(value_text(name, value)),
                *([plain(value_text(name, own[name])) if name in own else ""] if own else []),
            ]
            for name, value in best.params.items()
        ),
    )


def _steps(steps: Sequence[StepReport]) -> Iterator[str]:
    yield "## Steps"
    yield ""
    for step in steps:
        if step.state is StepState.STALE:
            continue
        place = f"round {step.round}, pass {step.pass_number}"
        yield f"### {step.number}. {STEP_NAMES[step.number]} ({place}): {step.state.value}"
        yield ""
        yield plain(step.sentence) or "No verdict yet."
        if step.skip_reason is not None:
            yield f"It was skipped: {plain(step.skip_reason)}"
        if step.action is not None:
            yield f"Next: {plain(step.action.sentence)}"
        yield ""
        for finding in step.findings:
            about = "" if finding.trial is None else f" (trial {finding.trial})"
            yield f"- **{finding.severity.value}** `{finding.code}`{about}: " + plain(
                finding.sentence
            )
        if step.findings:
            yield ""
    if not steps:
        yield "None yet."
        yield ""
    if any(step.findings for step in steps if step.state is not StepState.STALE):
        yield "What a code means, how it is decided and what to do about it: "
        yield "`sevenstep explain CODE`, or `/findings/CODE` on the service's pages."
        yield ""


def _tried(report: StudyReport) -> Iterator[str]:
    trials = report.trials
    yield "## What was tried"
    yield ""
    ends = Counter(trial.cause.value if trial.cause else trial.state.value for trial in trials)
    counted = ", ".join(f"{count} {end.replace('_', ' ')}" for end, count in ends.most_common())
    yield f"{plural(len(trials), 'trial')}" + (f": {counted}." if counted else ".")
    yield ""
    if report.fusing_sentence is not None:
        yield plain(report.fusing_sentence)
        yield ""
    searched = _by_value(report)[:SHOWN_TRIALS]
    names = sorted({name for trial in searched for name in trial.params})
    if searched:
        yield f"The best {plural(len(searched), 'trial')} of the searches, by a single seed each:"
        yield ""
    yield from _table(
        ["trial", "step", "round", "value", *map(plain, names)],
        (
            [
                str(trial.number),
                str(trial.step),
                str(trial.round),
                estimate(trial.value or 0.0, trial.standard_error),
                *(
                    plain(value_text(name, trial.params[name])) if name in trial.params else ""
                    for name in names
                ),
            ]
            for trial in searched
        ),
    )


def _by_value(report: StudyReport) -> list[TrialSummary]:
    """The searches' trials that have a value, the best first."""
    sign = -1 if report.best is None or report.best.direction == "maximize" else 1
    found = [
        (sign * trial.value, trial.number, trial)
        for trial in report.trials
        if trial.step >= FIRST_SEARCH and trial.value is not None
    ]
    return [trial for _, _, trial in sorted(found, key=lambda each: each[:2])]


def _changes(rounds: Sequence[RoundView]) -> Iterator[str]:
    yield "## What changed, and whether it helped"
    yield ""
    tested = [each for each in rounds if each.hypothesis is not None]
    for each in tested:
        assert each.hypothesis is not None
        yield f"- Round {each.round}: {plain(each.hypothesis.sentence)}"
        if each.effect is not None:
            yield f"  {HELPED[each.effect.kind]} {plain(each.effect.sentence)}"
        else:
            yield "  What came of it is not known yet."
    if not tested:
        yield "No change was tried beyond the searches."
    yield ""


def _not_tried(report: StudyReport) -> Iterator[str]:
    yield "## What was not tried"
    yield ""
    for sentence in report.not_tried:
        yield f"- {plain(sentence)}"
    if not report.not_tried:
        yield "Nothing that the recipe would have."
    yield ""


def _spent(allowed: Budget, used: Spent) -> Iterator[str]:
    yield "## Budget"
    yield ""
    hours = allowed.device_hours
    rows = [
        ("active time, seconds", used.wall_seconds, allowed.wall_seconds),
        ("epochs", used.epochs, allowed.epochs),
        ("trials of steps 4 to 7", used.trials, allowed.trials),
        ("device time, hours", used.device_seconds / 3600, hours),
    ]
    yield from _table(
        ["", "used", "allowed"],
        (
            [what, f"{spent:,.4g}", "no limit" if limit is None else f"{limit:,.6g}"]
            for what, spent, limit in rows
        ),
    )


def _repeat(report: StudyReport) -> Iterator[str]:
    yield "## How to repeat"
    yield ""
    yield "```"
    yield report.repeat.command.replace("`", "'")
    yield "```"
    yield ""
    versions = ", ".join(f"{name} {version}" for name, version in report.repeat.versions.items())
    yield f"Versions: {plain(versions)}."
    if report.repeat.digest is not None:
        yield f"Digest of the task's code: `{report.repeat.digest}`."
    yield "The same seed gives the same trials, verdicts and best setting."
    yield ""


def _table(columns: Sequence[str], rows: Iterator[list[str]]) -> Iterator[str]:
    """A table with a blank line behind it; nothing when it has no rows."""
    lines = list(rows)
    if not lines:
        return
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for line in lines:
        yield f"| {' | '.join(line)} |"
    yield ""
