"""What a step looks like in a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from recipes.finding import Cause, Finding, Severity
from recipes.step import Action, StepKind, StepReport, StepState
from service.commands.step_words import print_step


def finding(code: str, *, num_causes: int = 0, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        confidence=0.9,
        sentence=f"Saw {code}.",
        causes=tuple(
            Cause(code=f"cause_{place}", sentence=f"{code} by {place}.", confidence=0.5)
            for place in range(num_causes)
        ),
        action=f"Mend {code}.",
        source="a test",
    )


def report(*found: Finding, state: StepState, action: str) -> StepReport:
    return StepReport(
        number=1,
        kind=StepKind.INITIAL_LOSS,
        round=1,
        pass_number=1,
        state=state,
        verdict=state,
        sentence=f"{found[0].sentence} Stopped." if found else "All is well.",
        findings=found,
        action=Action(kind="change", sentence=action),
    )


def printed(step: StepReport, *, is_terminal: bool = False) -> str:
    stream = io.StringIO()
    print_step(step, Console(file=stream, force_terminal=is_terminal, width=200, soft_wrap=True))
    return stream.getvalue()


def test_a_pass_says_what_is_next() -> None:
    info = finding("note", num_causes=2, severity=Severity.INFO)
    lines = printed(report(state=StepState.PASSED, action="Go on.")).splitlines()
    assert [line.strip() for line in lines[1:]] == ["All is well.", "→ Go on."]
    step = report(info, state=StepState.PASSED, action="Go on.")
    assert "note by" not in printed(step)


def test_a_failure_names_its_causes_in_order_and_one_action() -> None:
    first, second = finding("first", num_causes=2), finding("second", num_causes=1)
    text = printed(report(first, second, state=StepState.FAILED, action="Mend first."))
    assert [line.strip() for line in text.splitlines()[1:]] == [
        "Saw first. Stopped.",
        *[text.splitlines()[2].strip(), "Causes, likeliest first:"],
        *["1. first by 0.", "2. first by 1.", "More: sevenstep explain first"],
        *[text.splitlines()[7].strip(), "Likely cause: second by 0.", "Cure: Mend second."],
        "More: sevenstep explain second",
        "→ Mend first.",
    ]
    assert text.splitlines()[2].endswith(" first")
    assert text.splitlines()[7].endswith(" second: Saw second.")
    assert text.count("Saw first.") == 1
    assert text.count("Mend first.") == 1


@pytest.mark.parametrize("is_terminal", [False, True])
def test_only_a_terminal_gets_colours(is_terminal: bool) -> None:
    step = report(finding("first"), state=StepState.WARNING, action="Mend first.")
    assert ("\x1b[" in printed(step, is_terminal=is_terminal)) == is_terminal
