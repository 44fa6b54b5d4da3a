"""The order of the steps: what follows, given the reports so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from recipes.step import Step, StepKind, StepReport, StepState
from recipes.steps.coarse_search import CoarseSearch
from recipes.steps.curves import Curves
from recipes.steps.fine_search import FineSearch
from recipes.steps.initial_loss import InitialLoss
from recipes.steps.loop import Loop
from recipes.steps.lr_finder import LrFinder
from recipes.steps.overfit_sample import OverfitSample
from recipes.study import StudyConfig

ALL_STEPS: tuple[Step, ...] = (
    InitialLoss(),
    OverfitSample(),
    LrFinder(),
    CoarseSearch(),
    FineSearch(),
    Curves(),
    Loop(),
)
STEPS: dict[int, Step] = {step.kind.number: step for step in ALL_STEPS}
"""The recipe, by step number."""

MAX_PASSES = 4
"""Most times a step runs in one round, widening its range each time, its first run counted in."""

GATES = (
    StepKind.INITIAL_LOSS,
    StepKind.OVERFIT_SAMPLE,
    StepKind.LR_FINDER,
    StepKind.COARSE_SEARCH,
    StepKind.FINE_SEARCH,
)
"""A failure of one of these stops the study until a person acts. The searches fail only when
no trial of theirs ended with a value: there is nothing to go on from."""

ROUND_START = StepKind.FINE_SEARCH.number
"""Where another round begins."""


@dataclass(frozen=True, slots=True)
class Next:
    """What a study does next, and why.

    ``run`` a step, wait for a person (``needs_action``), or ``complete``.
    """

    kind: Literal["run", "needs_action", "complete"]
    reason: str
    number: int | None = None
    round: int = 1
    pass_number: int = 1


def next_step(config: StudyConfig, history: Sequence[StepReport]) -> Next:
    """What follows the judged steps of a study.

    Args:
        config: Which steps are carried out, and whether decisions apply themselves.
        history: Reports judged so far and not stale, oldest first.
    """
    steps = config.steps
    if not history:
        return Next("run", "the study begins", number=steps[0])
    last = history[-1]
    is_skipped = last.state is StepState.SKIPPED
    if last.verdict is StepState.FAILED and last.kind in GATES and not is_skipped:
        return Next("needs_action", last.sentence)
    if last.kind is StepKind.LOOP and is_skipped:
        # The change is not wanted: the step runs again to bring the study to its end.
        return _again(last, "the change was skipped")
    kind = last.action.kind if last.action is not None else None
    wants_more = wants_another_pass(history) or (kind == "loop" and ROUND_START in steps)
    if wants_more and not is_skipped:
        assert last.action is not None
        if not (config.autopilot or last.accepted):
            return Next("needs_action", last.action.sentence)
        if kind == "widen":
            return _again(last, last.action.sentence)
        return Next("run", last.action.sentence, number=ROUND_START, round=last.round + 1)
    later = steps[steps.index(last.number) + 1 :]
    if not later:
        return Next("complete", str(last.learned.get("stop_reason", "finished")))
    return Next("run", f"step {last.number} is done", number=later[0], round=last.round)


def wants_another_pass(history: Sequence[StepReport]) -> bool:
    """Whether the last step asked to run again over a wider range, and may."""
    last = history[-1]
    if last.action is None or last.action.kind != "widen":
        return False
    runs = [each for each in history if each.number == last.number and each.round == last.round]
    return len(runs) < MAX_PASSES


def _again(last: StepReport, reason: str) -> Next:
    return Next(
        "run", reason, number=last.number, round=last.round, pass_number=last.pass_number + 1
    )
