"""What a study may spend, what it has spent, and what a decision may still plan for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pydantic import Field

from recipes.value import LARGEST_NUMBER, Real, Value, Whole

SHARES = {"checks": 0.10, "coarse": 0.30, "fine": 0.45, "final": 0.15}
"""Of a budget: steps 1 to 3 at most, step 4, rounds of 5 to 7, and finalists with the test,
which are held back (design.md 4)."""


class Budget(Value):
    """Limits on a whole study, counting active time only. None: no limit of that kind."""

    wall_seconds: Real | None = Field(default=None, gt=0)
    epochs: Whole | None = Field(default=None, ge=1, le=LARGEST_NUMBER)
    trials: Whole | None = Field(default=None, ge=1, le=LARGEST_NUMBER)
    device_hours: Real | None = Field(default=None, gt=0)

    @property
    def is_limited(self) -> bool:
        """Whether anything is limited."""
        return any(value is not None for value in self.model_dump().values())


class Spent(Value):
    """What was spent.

    Attributes:
        wall_seconds: Active time: paused and waiting for a person left out.
        epochs: Passes over the training data by all trials (iterations over iterations an
            epoch, for runs told in iterations).
        trials: Trials begun in steps 4 to 7.
        device_seconds: Time of attempts on slots.
    """

    wall_seconds: float = 0.0
    epochs: float = 0.0
    trials: int = 0
    device_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget in the middle of a study.

    Attributes:
        allowed: The limits.
        spent: By the whole study so far.
        step_spent: By the step run that is under way.
        slots: Trials that can run at the same time: the slots of the workers alive.
    """

    allowed: Budget = field(default_factory=Budget)
    spent: Spent = field(default_factory=Spent)
    step_spent: Spent = field(default_factory=Spent)
    slots: int = 1

    def left(self, *, reserve: float = 0.0) -> Left:
        """What is left when a share of every limit is held back.

        Args:
            reserve: Share held back, 0 to 1.
        """
        allowed, keep = self.allowed, 1.0 - reserve
        device = allowed.device_hours
        return Left(
            wall_seconds=_left(allowed.wall_seconds, keep, self.spent.wall_seconds),
            epochs=_left(allowed.epochs, keep, self.spent.epochs),
            trials=_left(allowed.trials, keep, self.spent.trials),
            device_seconds=_left(
                None if device is None else device * 3600, keep, self.spent.device_seconds
            ),
        )


@dataclass(frozen=True, slots=True)
class Left:
    """What may still be spent; infinite where there is no limit, never below 0."""

    wall_seconds: float
    epochs: float
    trials: float
    device_seconds: float


def _left(limit: float | None, keep: float, spent: float) -> float:
    return math.inf if limit is None else max(0.0, limit * keep - spent)
