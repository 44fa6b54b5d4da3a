"""What follows when an attempt has ended: another one, or the end of its members.

Pure: the counts go in, the decision comes out.
"""

from __future__ import annotations

from dataclasses import dataclass

from recipes.description import TaskProblem
from recipes.trial import TrialCause, TrialState
from recipes.wire import AttemptState

CRASHED = "crashed"
"""Cause of a failed attempt whose process died. It is tried again, a few times."""
CHECKPOINT_GONE = "checkpoint_gone"
"""Cause of a failed attempt that could not have what it was to go on from. It is tried again
from the beginning, as often as a crash: a worker that says so each time has another trouble."""

PARTED = ("error", "out_of_memory")
"""Causes by which members that trained together fail, and are tried once more one by one. So
are those of a crash, which is tried again anyway."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended.

    Attributes:
        state: One of the ended states.
        cause: ``error``, ``out_of_memory``, ``crashed``, ``checkpoint_gone`` or ``task``
            for a failed one; why, for a lost one.
        message: For a person.
        traceback: As the worker saw it.
        problem: Why the task cannot be used, with cause ``task``.
    """

    state: AttemptState
    cause: str | None = None
    message: str | None = None
    traceback: str | None = None
    problem: TaskProblem | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Make another attempt."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Make no other one. Members that have not ended, end so."""

    state: TrialState
    cause: TrialCause
    message: str


def after(
    ending: Ending,
    *,
    is_active: bool,
    num_crashed: int,
    num_lost: int,
    max_attempt_failures: int,
    max_lost_attempts: int,
    was_together: bool = False,
) -> Retry | GiveUp:
    """What follows an ended attempt whose job has members left.

    Args:
        ending: How it ended.
        is_active: Whether the study still wants the job done.
        num_crashed: The job's attempts that ended by this one's cause, this one counted in.
        num_lost: Its lost and stopped attempts, this one counted in. Preempted ones are
            not: a machine that is often taken away still carries its studies to their end.
        max_attempt_failures: Crashes that are too many.
        max_lost_attempts: Losses that are too many.
        was_together: Whether its members trained together, so that one by one they may fare
            better: the next attempt trains them so.
    """
    failed = TrialState.FAILED
    if not is_active:
        return GiveUp(TrialState.CANCELLED, TrialCause.CANCELLED, "the study was cancelled")
    match ending.state:
        case AttemptState.SUCCEEDED:
            return GiveUp(failed, TrialCause.ERROR, "the attempt ended without its outcome")
        case AttemptState.FAILED if ending.cause in (CRASHED, CHECKPOINT_GONE):
            if num_crashed < max_attempt_failures:
                return Retry()
            what = "crashed" if ending.cause == CRASHED else "without its checkpoint"
            return GiveUp(failed, TrialCause.LOST, f"{what} {num_crashed} times: {ending.message}")
        case AttemptState.FAILED if was_together and ending.cause in PARTED:
            return Retry()
        case AttemptState.FAILED:
            is_memory = ending.cause == TrialCause.OUT_OF_MEMORY.value
            cause = TrialCause.OUT_OF_MEMORY if is_memory else TrialCause.ERROR
            return GiveUp(failed, cause, ending.message or "the attempt failed")
        case AttemptState.PREEMPTED:
            return Retry()
        case _:
            # Lost, or stopped for a reason that has passed: nobody's mistake.
            if num_lost < max_lost_attempts:
                return Retry()
            return GiveUp(failed, TrialCause.LOST, f"{num_lost} attempts were lost")
