"""The ladder of a study: its seven steps, in rounds, each with the passes it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recipes.hypothesis import Effect, Hypothesis
from recipes.plan import ROUND_START
from recipes.result import Best, Result
from recipes.step import StepReport, StepState
from service.views.format import STEP_NAMES, STEP_PURPOSES, Mark, mark
from service.views.models import StudyView

NUM_STEPS = 7


@dataclass(frozen=True, slots=True)
class Rung:
    """One row of the ladder. ``report`` is None while the step has not run.

    ``earlier`` are the passes before it, and runs that a rerun made stale, oldest first.
    """

    number: int
    name: str
    mark: Mark
    sentence: str
    report: StepReport | None
    is_current: bool
    earlier: tuple[StepReport, ...] = ()

    @property
    def query(self) -> str:
        """What names this run in an address; empty before it ran."""
        return run_query(self.report) if self.report is not None else ""


@dataclass(frozen=True, slots=True)
class Rounds:
    """The rungs of one round. Steps before the rounds have number 0 and stand first.

    Attributes:
        number: Of the round; 0 for the steps that no round repeats.
        hypothesis: What the round tries, where it was begun to try something.
        effect: What came of it, once that is known.
        best: The best setting when it ended, or so far.
        is_latest: Whether no round follows.
    """

    number: int
    rungs: tuple[Rung, ...]
    hypothesis: Hypothesis | None = None
    effect: Effect | None = None
    best: Best | None = None
    is_latest: bool = True


def run_query(report: StepReport) -> str:
    """The query that names one run of a step."""
    return f"?round={report.round}&pass={report.pass_number}"


def result_of(reports: Sequence[StepReport]) -> Result | None:
    """What a study concluded so far: the newest result of a report that still counts."""
    found = (report.result for report in reversed(reports) if report.state is not StepState.STALE)
    return next((result for result in found if result is not None), None)


def ladder(study: StudyView, reports: Sequence[StepReport]) -> list[Rounds]:
    """All seven steps: those before the rounds, then each round with its own.

    A study that has seen one round has one part with all seven.
    """
    rounds = sorted({r.round for r in reports if r.number >= ROUND_START} | {1})
    checks = [_rung(study, reports, step, 1) for step in range(1, ROUND_START)]
    if rounds == [1]:
        searches = [_rung(study, reports, step, 1) for step in range(ROUND_START, NUM_STEPS + 1)]
        return [Rounds(0, (*checks, *searches))]
    parts = [Rounds(0, tuple(checks))]
    result = result_of(reports)
    for number in rounds:
        steps = range(ROUND_START, NUM_STEPS + 1)
        own = [r for r in reports if r.round == number and r.number >= ROUND_START]
        parts.append(
            Rounds(
                number=number,
                rungs=tuple(_rung(study, reports, step, number) for step in steps),
                hypothesis=_hypothesis(result, number),
                effect=_effect(result, number),
                best=_best(own),
                is_latest=number == rounds[-1],
            )
        )
    return parts


def _rung(study: StudyView, reports: Sequence[StepReport], step: int, round: int) -> Rung:
    runs = [r for r in reports if r.number == step and r.round == round]
    counted = [r for r in runs if r.state is not StepState.STALE] or runs
    report = counted[-1] if counted else None
    if report is not None:
        sentence = report.sentence or "Running: no verdict yet."
        shown = mark(report.state)
    elif step in study.planned_steps and not study.state.has_ended:
        sentence, shown = STEP_PURPOSES[step], mark("waiting")
    else:
        sentence, shown = STEP_PURPOSES[step], Mark("·", _absent(study, step), "quiet")
    current = study.current
    return Rung(
        number=step,
        name=STEP_NAMES[step],
        mark=shown,
        sentence=sentence,
        report=report,
        is_current=current is not None and (current.step, current.round) == (step, round),
        earlier=tuple(r for r in runs if r is not report),
    )


def _absent(study: StudyView, step: int) -> str:
    return "did not run" if step in study.planned_steps else "not in this study"


def _hypothesis(result: Result | None, round: int) -> Hypothesis | None:
    hypotheses = result.hypotheses if result is not None else ()
    return next((each for each in hypotheses if each.round == round), None)


def _effect(result: Result | None, round: int) -> Effect | None:
    effects = result.effects if result is not None else ()
    return next((each for each in effects if each.hypothesis.round == round), None)


def _best(reports: Sequence[StepReport]) -> Best | None:
    result = result_of(reports)
    return result.best if result is not None else None
