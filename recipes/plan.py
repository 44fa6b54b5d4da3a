"""The order of the steps: what follows, given the reports so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from recipes.step import Step, StepKind, StepReport, StepState
from recipes.steps.initial_loss import InitialLoss
from recipes.steps.lr_finder import LrFinder
from recipes.steps.overfit_sample import OverfitSample

STEPS: dict[int, Step] = {
    step.kind.number: step for step in (InitialLoss(), OverfitSample(), LrFinder())
}
"""The recipe, by step number."""

MAX_PASSES = 4
"""Most times a step runs again after widening, its first run counted in."""

GATES = (StepKind.INITIAL_LOSS, StepKind.OVERFIT_SAMPLE, StepKind.LR_FINDER)
"""A failure of one of these stops the study until a person acts."""


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


def next_step(steps: Sequence[int], history: Sequence[StepReport]) -> Next:
    """What follows the judged steps of a study.

    Args:
        steps: The step numbers the study carries out, in order.
        history: Reports judged so far, oldest first.
    """
    if not history:
        return Next("run", "the study begins", number=steps[0])
    last = history[-1]
    if wants_another_pass(last) and last.pass_number < MAX_PASSES:
        return Next(
            "run",
            last.action.sentence if last.action else "the range was widened",
            number=last.number,
            round=last.round,
            pass_number=last.pass_number + 1,
        )
    if last.verdict is StepState.FAILED and last.kind in GATES:
        return Next("needs_action", last.sentence)
    later = steps[steps.index(last.number) + 1 :]
    if not later:
        return Next("complete", "finished")
    return Next("run", f"step {last.number} is done", number=later[0], round=last.round)


def wants_another_pass(report: StepReport) -> bool:
    """Whether a step asked to run again over a wider range."""
    return report.action is not None and report.action.kind == "widen"
