"""The pure decision on what follows an ended attempt."""

from __future__ import annotations

import pytest

from recipes.trial import TrialCause, TrialState
from recipes.wire import AttemptState
from service.use_cases.retry import Ending, GiveUp, Retry, after


def decide(
    state: AttemptState,
    cause: str | None = None,
    *,
    crashed: int = 0,
    lost: int = 0,
    is_active: bool = True,
) -> Retry | GiveUp:
    return after(
        Ending(state, cause, "why"),
        is_active=is_active,
        num_crashed=crashed,
        num_lost=lost,
        max_attempt_failures=3,
        max_lost_attempts=10,
    )


@pytest.mark.parametrize(
    ("state", "cause", "crashed", "lost", "expected"),
    [
        (AttemptState.SUCCEEDED, None, 0, 0, TrialCause.ERROR),
        (AttemptState.FAILED, "error", 0, 0, TrialCause.ERROR),
        (AttemptState.FAILED, "task", 0, 0, TrialCause.ERROR),
        (AttemptState.FAILED, "out_of_memory", 0, 0, TrialCause.OUT_OF_MEMORY),
        (AttemptState.FAILED, "crashed", 2, 9, None),
        (AttemptState.FAILED, "crashed", 3, 0, TrialCause.LOST),
        (AttemptState.LOST, "lease_expired", 2, 9, None),
        (AttemptState.LOST, "lease_expired", 0, 10, TrialCause.LOST),
        (AttemptState.CANCELLED, None, 0, 10, TrialCause.LOST),
        (AttemptState.PREEMPTED, None, 0, 1000, None),
        (AttemptState.FAILED, "checkpoint_gone", 2, 9, None),
        (AttemptState.FAILED, "checkpoint_gone", 3, 0, TrialCause.LOST),
    ],
)
def test_what_follows(
    state: AttemptState, cause: str | None, crashed: int, lost: int, expected: TrialCause | None
) -> None:
    decision = decide(state, cause, crashed=crashed, lost=lost)

    if expected is None:
        assert decision == Retry()
    else:
        assert isinstance(decision, GiveUp)
        assert (decision.state, decision.cause) == (TrialState.FAILED, expected)
        assert decision.message


@pytest.mark.parametrize("state", [state for state in AttemptState if state.has_ended])
def test_a_cancelled_study_retries_nothing(state: AttemptState) -> None:
    decision = decide(state, is_active=False)
    assert isinstance(decision, GiveUp)
    assert decision.state is TrialState.CANCELLED
