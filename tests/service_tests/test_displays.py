"""Progress on a terminal and elsewhere, fed with a real study's views."""

from __future__ import annotations

import io
import re

from rich.console import Console

from recipes.budget import Budget
from recipes.result import Best, Result
from recipes.step import StepKind, StepReport, StepState
from recipes.study import StudyState
from service.commands.lines import Lines
from service.commands.live import LiveView
from service.use_cases import studies
from service.views.models import StepView, StudyView
from tests.service_tests.support import Bench, PlainStep, recipe

STEPS = recipe(PlainStep(StepKind.INITIAL_LOSS, jobs=(2,)))
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BEST = Best(
    trial=0,
    params={"lr": 0.1},
    metric="accuracy",
    direction="maximize",
    value=0.9,
    standard_error=0.01,
    n=300,
    num_candidates=2,
)


def begun(bench: Bench) -> str:
    """A study whose one step runs."""
    uid = bench.create(budget=Budget(trials=8).model_dump())
    bench.describe(bench.worker("describer"))
    bench.advance(uid, STEPS)
    return uid


def view(bench: Bench, uid: str) -> StudyView:
    with bench.database.read() as session:
        return studies.get(session, uid)


def judged(bench: Bench, uid: str) -> StepView:
    """The step's report, once its trials have ended and it was judged."""
    with bench.database.read() as session:
        report = studies.steps(session, uid)[-1]
    return report.model_copy(
        update={
            "state": StepState.PASSED,
            "verdict": StepState.PASSED,
            "sentence": "It went well.",
            "result": Result(best=BEST),
        }
    )


def test_elsewhere_every_change_is_one_line(bench: Bench) -> None:
    uid = begun(bench)
    stream = io.StringIO()
    with Lines(Console(file=stream, width=300)) as lines:
        for _ in range(3):
            lines.now(view(bench, uid))
        lines.away()
        lines.away()
        lines.now(view(bench, uid))
        lines.judged(judged(bench, uid))
    assert stream.getvalue().splitlines() == [
        "… Step 1, initial loss: 2 trials of initial_loss",
        "The service is away; trying again.",
        "✓ passed  Step 1, initial loss",
        "  It went well.",
    ]


def test_a_pause_is_said(bench: Bench) -> None:
    uid = begun(bench)
    stream = io.StringIO()
    paused = view(bench, uid).model_copy(update={"state": StudyState.PAUSED, "current": None})
    with Lines(Console(file=stream)) as lines:
        lines.now(paused)
        lines.now(paused)
    assert stream.getvalue() == "Paused.\n"


def test_a_terminal_shows_what_goes_on_below_the_verdicts(bench: Bench) -> None:
    uid = begun(bench)
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120, color_system=None)
    with LiveView(console) as live:
        live.now(view(bench, uid))
        live.judged(judged(bench, uid))
        live.refresh()
        live.away()
        live.refresh()
    text = ANSI.sub("", stream.getvalue())
    assert "✓ passed  Step 1, initial loss" in text
    assert "▶ Step 1, initial loss" in text
    assert "0 of 2 trials" in text
    assert "Best so far: accuracy 0.900 ± 0.010 on 300 samples, best of 2 settings" in text
    assert "budget: 0 of 8 trials" in text
    assert "○ Step 3, find the learning rate" in text
    assert "The service is away" in text


def test_a_narrow_terminal_keeps_a_line_a_fact(bench: Bench) -> None:
    uid = begun(bench)
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=40, color_system=None)
    with LiveView(console) as live:
        live.now(view(bench, uid))
        live.refresh()
    assert stream.getvalue().endswith("\x1b[1A\x1b[2K"), "what went on is taken away at the end"
    lines = re.split(r"[\r\n]+", ANSI.sub("", stream.getvalue()))
    assert max(map(len, lines)) == 40
    assert any(line.endswith("…") for line in lines)


def test_reports_of_other_rounds_and_passes_are_told_apart() -> None:
    stream = io.StringIO()
    report = StepReport(
        number=5,
        kind=StepKind.FINE_SEARCH,
        round=2,
        pass_number=3,
        state=StepState.PASSED,
        sentence="Well.",
    )
    with Lines(Console(file=stream, width=300)) as lines:
        lines.judged(report)
    assert stream.getvalue().startswith("✓ passed  Step 5, fine search, round 2, pass 3\n")
