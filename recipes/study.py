"""A study: one search for the hyperparameters of one task."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from recipes.space import ParameterValue, SearchSpace
from recipes.value import Value

MAX_NAME = 100


class StudyState(StrEnum):
    """Where a study is."""

    PENDING = "pending"  # created; the task is not described yet
    RUNNING = "running"
    NEEDS_ACTION = "needs_action"  # a gate failed: a person must decide
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"  # cannot go on: the task does not load
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether the study will not run again by itself or by a person."""
        return self in (StudyState.COMPLETED, StudyState.FAILED, StudyState.CANCELLED)


class StudyConfig(Value):
    """What a person asked for. ``POST /api/v1/studies`` takes this."""

    name: str = Field(min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f]+$")
    task: str = Field(
        min_length=1,
        max_length=4096,
        description=(
            "`digits`, `package.module:ClassName`, or `/absolute/path/to/file.py:ClassName`"
            " where the service allows task files"
        ),
    )
    task_args: dict[str, ParameterValue] = Field(default_factory=dict)
    set: dict[str, ParameterValue] = Field(
        default_factory=dict, description=("Hyperparameters fixed at a value")
    )
    space: SearchSpace = Field(
        default_factory=lambda: SearchSpace({}),
        description=("Ranges that replace the task's own, name by name"),
    )
    seed: int = Field(default=0, ge=0, lt=2**31)
    steps: tuple[int, ...] = Field(
        default=(1, 2, 3),
        min_length=1,
        description=("Which of the recipe's steps to carry out, in order"),
    )
