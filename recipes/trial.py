"""Trials: one setting of hyperparameters, trained once."""

from __future__ import annotations

from enum import StrEnum


class TrialPurpose(StrEnum):
    """What a trial is for."""

    CHECK = "check"
    SEARCH = "search"
    PROBE = "probe"
    REPEAT = "repeat"
    FINAL = "final"


class TrialState(StrEnum):
    """Where a trial is. Divergence is a result: such a trial is complete."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether the trial keeps this state for good."""
        return self not in (TrialState.WAITING, TrialState.RUNNING)


class TrialCause(StrEnum):
    """Why a trial ended."""

    FINISHED = "finished"
    DIVERGED = "diverged"
    NON_FINITE = "non_finite"
    EARLY_DISCARD = "early_discard"
    ERROR = "error"
    OUT_OF_MEMORY = "out_of_memory"
    LOST = "lost"
    CANCELLED = "cancelled"
