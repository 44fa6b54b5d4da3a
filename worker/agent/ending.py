"""How an attempt ended, in the service's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recipes.redaction import redact
from recipes.wire import AttemptError, AttemptState, FinishRequest
from worker.agent.slot import Exited
from worker.agent.spool import Batch
from worker.slot.messages import JobDone


@dataclass(frozen=True, slots=True)
class Ending:
    """What an attempt finishes with.

    Attributes:
        error: Why it failed. It may hold secrets; they do not leave with the request.
        description: Of a describe job.
    """

    state: AttemptState
    error: AttemptError | None = None
    description: object = None

    def request(self, fence: int, rest: Batch) -> FinishRequest:
        """The attempt's last request.

        Args:
            fence: Of its claim.
            rest: Points and outcomes that were not sent by themselves.
        """
        return FinishRequest.model_validate(
            {
                "fence": fence,
                "blocks": rest.blocks,
                "outcomes": rest.outcomes,
                "state": self.state,
                "description": self.description,
                "error": None if self.error is None else without_secrets(self.error),
            }
        )


def conclude(
    end: JobDone | Exited | None,
    stop_as: AttemptState | None,
    refusal: str | None,
    gone: Sequence[int] = (),
    *,
    stalled_seconds: float | None = None,
) -> Ending:
    """How an attempt ended.

    Args:
        end: What the slot process said last; None when the job was never started.
        stop_as: The state asked for when the run was told to stop.
        refusal: Why reports could not be delivered.
        gone: Trials whose checkpoint is no longer there; the job was not started.
        stalled_seconds: For how long the process said nothing, where it was ended for it.
    """
    if refusal is not None:
        message = f"a report was not delivered: {refusal}"
        return Ending(AttemptState.FAILED, AttemptError(kind="error", message=message))
    if isinstance(end, JobDone) and end.result == "succeeded":
        return Ending(AttemptState.SUCCEEDED, description=end.description)
    if stop_as is not None:  # a process killed because it did not stop counts as stopped
        return Ending(stop_as)
    if gone:
        trials = ", ".join(map(str, gone))
        message = f"the service no longer has the checkpoint to go on from of trial {trials}"
        return Ending(AttemptState.FAILED, AttemptError(kind="checkpoint_gone", message=message))
    if isinstance(end, JobDone) and end.error is not None:
        return Ending(AttemptState.FAILED, end.error)
    assert isinstance(end, Exited), "a job ends early only when told to"
    error = end.error()
    if stalled_seconds is not None:
        hung = f"the run said nothing for {stalled_seconds:.0f} s and was ended"
        error = error.model_copy(update={"message": hung})
    return Ending(AttemptState.FAILED, error)


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
