"""How an attempt ended, in the service's words."""

from __future__ import annotations

from collections.abc import Sequence

from recipes.redaction import redact
from recipes.wire import AttemptError, AttemptState
from worker.agent.slot import Exited
from worker.slot.messages import JobDone


def conclude(
    end: JobDone | Exited | None,
    stop_as: AttemptState | None,
    refusal: str | None,
    gone: Sequence[int] = (),
) -> tuple[AttemptState, AttemptError | None, object]:
    """State, error and description an attempt finishes with.

    Args:
        end: What the slot process said last; None when the job was never started.
        stop_as: The state asked for when the run was told to stop.
        refusal: Why reports could not be delivered.
        gone: Trials whose checkpoint is no longer there; the job was not started.
    """
    if refusal is not None:
        message = f"a report was not delivered: {refusal}"
        return AttemptState.FAILED, AttemptError(kind="error", message=message), None
    if isinstance(end, JobDone) and end.result == "succeeded":
        return AttemptState.SUCCEEDED, None, end.description
    if stop_as is not None:  # a process killed because it did not stop counts as stopped
        return stop_as, None, None
    if gone:
        trials = ", ".join(map(str, gone))
        message = f"the service no longer has the checkpoint to go on from of trial {trials}"
        return AttemptState.FAILED, AttemptError(kind="checkpoint_gone", message=message), None
    if isinstance(end, JobDone) and end.error is not None:
        return AttemptState.FAILED, end.error, None
    assert isinstance(end, Exited), "a job ends early only when told to"
    return AttemptState.FAILED, end.error(), None


def without_secrets(error: AttemptError) -> AttemptError:
    """The error as it may be stored and shown: a task's last words can hold its environment."""
    problem = error.problem
    if problem is not None:
        problem = problem.model_copy(
            update={
                "message": redact(problem.message),
                "traceback": problem.traceback and redact(problem.traceback),
            }
        )
    return error.model_copy(
        update={
            "message": redact(error.message),
            "traceback": error.traceback and redact(error.traceback),
            "problem": problem,
        }
    )
