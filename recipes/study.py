"""A study: one search for the hyperparameters of one task."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from recipes.space import ParameterValue, SearchSpace
from recipes.value import Value

MAX_NAME = 100
LAST_STEP = 3
"""The last of the recipe's steps that can be carried out."""
HIDDEN_CATEGORIES = ("Cc", "Zl", "Zp")
"""Unicode's controls and line breaks."""
BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that show the ones after them in another order."""


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


def _check_name(name: str) -> str:
    if not name.strip():
        raise ValueError("give a name that can be seen")
    if any(
        unicodedata.category(each) in HIDDEN_CATEGORIES or each in BIDI_CONTROLS for each in name
    ):
        raise ValueError("leave out line breaks and other control characters")
    return name


def _check_steps(steps: tuple[int, ...]) -> tuple[int, ...]:
    unknown = [number for number in steps if not 1 <= number <= LAST_STEP]
    if unknown:
        raise ValueError(
            f"there is no step {unknown[0]} to carry out; give some of 1 to {LAST_STEP}"
        )
    if list(steps) != sorted(set(steps)):
        raise ValueError(f"give each step once and in order, as in {sorted(set(steps))}")
    return steps


class StudyConfig(Value):
    """What a person asked for. ``POST /api/v1/studies`` takes this."""

    name: Annotated[str, AfterValidator(_check_name)] = Field(min_length=1, max_length=MAX_NAME)
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
    seed: int = Field(default=0, ge=0, lt=2**31, strict=True)
    steps: Annotated[tuple[int, ...], AfterValidator(_check_steps)] = Field(
        default=(1, 2, 3),
        min_length=1,
        description=("Which of the recipe's steps to carry out, in order"),
    )
