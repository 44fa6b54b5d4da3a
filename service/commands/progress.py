"""A study's progress in a terminal: each verdict as soon as it is there."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipes.finding import Cause, Severity
from recipes.step import StepReport, StepState
from recipes.study import StudyState
from service.pages.format import STEP_NAMES, mark
from service.pages.sentences import now

if TYPE_CHECKING:
    from rich.console import Console

    from service.commands.client import Client
    from service.views import StudyView

COLOURS = {"good": "green", "caution": "yellow", "bad": "red", "active": "cyan", "quiet": "dim"}
UNJUDGED = (StepState.PENDING, StepState.RUNNING)
RECONNECT_SECONDS = 1.0
AWAY_SECONDS = 60.0
"""How long the service may be away before the command gives up following."""


def follow(client: Client, uid: str, *, to_stderr: bool) -> StudyView:
    """Print a study's verdicts as they come, until it ends or waits for a person.

    Args:
        client: Speaks to the service.
        uid: The study.
        to_stderr: Whether standard output belongs to something else.

    Raises:
        ClientError: The service is away for good, or refuses.
    """
    from service.commands.client import Unreachable

    console = console_for(to_stderr=to_stderr)
    shown: set[tuple[int, int, int]] = set()
    position, away_since = 0, None
    with console.status("Starting") as status:
        while True:
            try:
                study = _look(client, uid, console, shown)
                status.update(now(study, has_worker=True))
                if study.state.has_ended or study.state is StudyState.NEEDS_ACTION:
                    return study
                away_since = None
                for event in client.events(uid, position):
                    position = max(position, event.id)
                    if event.kind == "at":
                        continue
                    study = _look(client, uid, console, shown)
                    status.update(now(study, has_worker=True))
                    if study.state.has_ended or study.state is StudyState.NEEDS_ACTION:
                        return study
            except Unreachable:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > AWAY_SECONDS:
                    raise
                status.update("The service is away; trying again")
            time.sleep(RECONNECT_SECONDS)


def _look(
    client: Client, uid: str, console: Console, shown: set[tuple[int, int, int]]
) -> StudyView:
    study = client.study(uid)
    judged = {(s.number, s.round, s.pass_number) for s in study.steps if s.state not in UNJUDGED}
    if judged - shown:
        for report in client.steps(uid):
            key = (report.number, report.round, report.pass_number)
            if key in judged and key not in shown:
                shown.add(key)
                print_step(report, console)
    return study


def print_step(report: StepReport, console: Console | None = None) -> None:
    """One step: sign, word and sentence; what warned or failed, with its causes; what is next."""
    console = console or console_for(to_stderr=False)
    family = mark(report.state)
    title = f"Step {report.number}, {STEP_NAMES[report.number].lower()}"
    if report.pass_number > 1:
        title += f", pass {report.pass_number}"
    colour = COLOURS[family.family]
    console.print(
        f"[bold {colour}]{family.sign} {family.word}[/]  [bold]{title}[/]", highlight=False
    )
    _say(console, report.sentence or "Running.")
    for finding in report.findings:
        if finding.severity is Severity.INFO:
            continue
        is_said = report.sentence.startswith(finding.sentence)
        what = finding.code if is_said else f"{finding.code}: {finding.sentence}"
        _say(console, f"{mark(finding.severity).sign} {what}")
        _say_causes(console, finding.causes)
        if report.action is None or finding.action != report.action.sentence:
            _say(console, f"Cure: {finding.action}", indent=4)
    if report.action is not None:
        _say(console, f"→ {report.action.sentence}")


def _say_causes(console: Console, causes: Sequence[Cause]) -> None:
    """Likeliest first; a lone one needs no number."""
    if len(causes) == 1:
        _say(console, f"Likely cause: {causes[0].sentence}", indent=4)
    elif causes:
        _say(console, "Causes, likeliest first:", indent=4)
    for place, cause in enumerate(causes if len(causes) > 1 else (), start=1):
        _say(console, f"{place}. {cause.sentence}", indent=6)


def say_now(study: StudyView) -> str:
    """Where the study is, in a sentence."""
    return now(study, has_worker=True)


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
