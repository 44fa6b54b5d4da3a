"""What a person may do with a study now: pause, resume, cancel, accept, rerun, skip.

Pure: a situation goes in, the reason of a refusal with its cure comes out, or None. REST,
pages and the command line all ask here, so that what is offered is what is possible.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from recipes.step import StepReport, StepState
from recipes.study import StudyState

Verb = Literal["pause", "resume", "cancel", "accept", "rerun", "skip"]
OFFERED = ("widen", "loop")
"""Kinds of action that a person can have applied; any other is a person's own to do."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a study is.

    Attributes:
        state: The study's.
        history: Reports that are not stale, oldest first.
        running: The number of the step that is under way.
        described_again_from: The number of the step for which the task is described again.
        problem: Why the task could not be used when it was described again.
    """

    state: StudyState
    history: Sequence[StepReport] = ()
    running: int | None = None
    described_again_from: int | None = None
    problem: str | None = None

    @property
    def last(self) -> StepReport | None:
        """The newest report."""
        return self.history[-1] if self.history else None

    @property
    def numbers(self) -> Collection[int]:
        """The steps that ran, or run."""
        ran = {report.number for report in self.history}
        return ran if self.running is None else {*ran, self.running}


def refusal(verb: Verb, situation: Situation, number: int | None = None) -> str | None:
    """Why a verb is not possible, with the cure; None when it is.

    Args:
        verb: What is asked for.
        situation: Where the study is.
        number: The step it is about, for accept, rerun and skip.
    """
    state = situation.state
    if state.has_ended:
        return f"the study is {state.value} for good; create another one"
    match verb:
        case "pause" if state is StudyState.NEEDS_ACTION:
            return f"the study waits for you and costs nothing; {_what_helps(situation)}"
        case "resume" if state is StudyState.NEEDS_ACTION:
            return f"the study is not paused, it waits for you; {_what_helps(situation)}"
        case "accept" | "skip":
            return _refused_decision(verb, situation, number)
        case "rerun":
            return _refused_rerun(situation, number)
    return None


def possible(situation: Situation) -> tuple[Verb, ...]:
    """The verbs that would change something, ``accept`` and ``skip`` on the newest report."""
    last = situation.last
    number = last.number if last is not None else None
    idle: dict[Verb, bool] = {
        "pause": situation.state is StudyState.PAUSED,
        "resume": situation.state is not StudyState.PAUSED,
        "rerun": situation.described_again_from is not None,
    }
    return tuple(
        verb
        for verb in get_args(Verb)
        if not idle.get(verb, False) and refusal(verb, situation, number) is None
    )


def _refused_decision(verb: Verb, situation: Situation, number: int | None) -> str | None:
    last = situation.last
    if situation.state is not StudyState.NEEDS_ACTION or last is None:
        return f"the study is {situation.state.value}; wait until it asks for a decision"
    if situation.problem is not None:
        return f"the task cannot be used any more ({situation.problem}); mend it, then rerun"
    if last.number != number:
        return f"the study waits at step {last.number}, not at step {number}; {verb} that one"
    has_failed = last.verdict is StepState.FAILED
    offers = last.action is not None and last.action.kind in OFFERED
    if verb == "accept" and (has_failed or not offers):
        return (
            f"what step {last.number} advises is yours to do; change the task and rerun the"
            " step, or skip it with a reason"
        )
    if verb == "skip" and not (has_failed or offers):
        return f"step {last.number} asks for nothing that could be skipped; rerun a step"
    return None


def _refused_rerun(situation: Situation, number: int | None) -> str | None:
    under_way = situation.described_again_from
    if under_way is not None and under_way != number:
        return f"step {under_way} is about to be rerun; wait until its task is described"
    if under_way is None and number not in situation.numbers:
        ran = ", ".join(map(str, sorted(situation.numbers)))
        return f"step {number} has not run; " + (f"give one of {ran}" if ran else "wait for it")
    return None


def _what_helps(situation: Situation) -> str:
    last = situation.last
    if last is None or situation.problem is not None:
        return "mend the task, then rerun"
    if last.verdict is StepState.FAILED:
        return f"rerun step {last.number} after a change, or skip it with a reason"
    return f"accept what step {last.number} offers, or skip it with a reason"
