"""What a step concluded, in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipes.finding import Cause, Finding, Severity
from recipes.step import StepReport
from service.views.format import STEP_NAMES, mark

if TYPE_CHECKING:
    from rich.console import Console

COLOURS = {"good": "green", "caution": "yellow", "bad": "red", "active": "cyan", "quiet": "dim"}
SAID_ALREADY = frozenset({"continue"})
"""Kinds of action that only announce the next step, which says so itself."""


def title(number: int, *, round: int = 1, pass_number: int = 1) -> str:
    """``Step 5, fine search, round 2``."""
    text = f"Step {number}, {STEP_NAMES[number].lower()}"
    if round > 1:
        text += f", round {round}"
    return text + (f", pass {pass_number}" if pass_number > 1 else "")


def print_step(report: StepReport, console: Console | None = None) -> None:
    """One step: sign, word and sentence; what warned or failed, with its causes; what is next.

    Findings on single trials are counted, not told: the page has them.
    """
    console = console or console_for(to_stderr=False)
    family = mark(report.state)
    name = title(report.number, round=report.round, pass_number=report.pass_number)
    colour = COLOURS[family.family]
    console.print(
        f"[bold {colour}]{family.sign} {family.word}[/]  [bold]{name}[/]", highlight=False
    )
    _say(console, report.sentence or "Running.")
    if report.skip_reason is not None:
        _say(console, f"Skipped: {report.skip_reason}")
    notable = [each for each in report.findings if each.severity is not Severity.INFO]
    for finding in notable:
        if finding.trial is None or len(notable) == 1:
            _say_finding(console, finding, report)
    on_trials = sum(each.trial is not None for each in notable) if len(notable) > 1 else 0
    if on_trials:
        _say(
            console, f"{mark(Severity.INFO).sign} {on_trials} more on single trials: see the page."
        )
    action = report.action
    if (
        action is not None
        and action.kind not in SAID_ALREADY
        and action.sentence not in report.sentence
    ):
        _say(console, f"→ {action.sentence}")


def _say_finding(console: Console, finding: Finding, report: StepReport) -> None:
    is_said = report.sentence.startswith(finding.sentence)
    what = finding.code if is_said else f"{finding.code}: {finding.sentence}"
    _say(console, f"{mark(finding.severity).sign} {what}")
    _say_causes(console, finding.causes)
    if report.action is None or finding.action != report.action.sentence:
        _say(console, f"Cure: {finding.action}", indent=4)
    _say(console, f"More: sevenstep explain {finding.code}", indent=4)


def _say_causes(console: Console, causes: Sequence[Cause]) -> None:
    """Likeliest first; a lone one needs no number."""
    if len(causes) == 1:
        _say(console, f"Likely cause: {causes[0].sentence}", indent=4)
    elif causes:
        _say(console, "Causes, likeliest first:", indent=4)
    for place, cause in enumerate(causes if len(causes) > 1 else (), start=1):
        _say(console, f"{place}. {cause.sentence}", indent=6)


def console_for(*, to_stderr: bool) -> Console:
    """Colours on a terminal, plain lines elsewhere."""
    from rich.console import Console

    stream = sys.stderr if to_stderr else sys.stdout
    return Console(file=stream, soft_wrap=not stream.isatty())


def _say(console: Console, sentence: str, *, indent: int = 2) -> None:
    from rich.padding import Padding
    from rich.text import Text

    if console.is_terminal:
        console.print(Padding(Text(sentence), (0, 0, 0, indent)))
    else:
        console.print(" " * indent + sentence, markup=False, highlight=False)
