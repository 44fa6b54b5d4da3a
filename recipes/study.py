"""A study: one search for the hyperparameters of one task."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from recipes.budget import Budget
from recipes.errors import InvalidSetting
from recipes.space import ParameterValue, SearchSpace
from recipes.value import Truth, Value, Whole

MAX_NAME = 100
LAST_STEP = 7
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


class SearchOptions(Value):
    """How steps 4 and 5 search. The defaults are the method's (method.md, design.md 4).

    Attributes:
        coarse_trials: Trials of step 4 without a budget; a budget may make them more or fewer.
        coarse_epochs: Epochs of a coarse trial that is not discarded early: 1 to 5.
        coarse_proposals: ``sobol``, ``random``, or ``grid`` for comparison, which takes a trial
            at least for every combination of choices.
        fine_trials: Trials of a round's step 5 without a budget.
        fine_epochs: Epochs of a fine trial that is not discarded early: 10 to 20.
        fine_proposals: ``tpe`` by generations, or ``sobol``, ``random``.
        generation: Trials proposed together. TPE learns from completed generations only.
        early_discard: Whether trials far behind end early, by successive halving.
    """

    coarse_trials: Whole = Field(default=32, ge=1, le=10_000)
    coarse_epochs: Whole = Field(default=5, ge=1, le=1_000)
    coarse_proposals: Literal["sobol", "random", "grid"] = "sobol"
    fine_trials: Whole = Field(default=16, ge=1, le=10_000)
    fine_epochs: Whole = Field(default=20, ge=1, le=10_000)
    fine_proposals: Literal["tpe", "sobol", "random"] = "tpe"
    generation: Whole = Field(default=8, ge=1, le=1_000)
    early_discard: Truth = True


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
    seed: Whole = Field(default=0, ge=0, lt=2**31)
    steps: Annotated[tuple[Whole, ...], AfterValidator(_check_steps)] = Field(
        default=tuple(range(1, LAST_STEP + 1)),
        min_length=1,
        description=("Which of the recipe's steps to carry out, in order"),
    )
    budget: Budget = Field(
        default_factory=Budget, description="What the study may spend; left out: no limit"
    )
    incumbent: dict[str, ParameterValue] = Field(
        default_factory=dict,
        description="Your present setting: it is searched, repeated and compared with",
    )
    max_rounds: Whole | None = Field(
        default=None,
        ge=1,
        le=100,
        description="Most rounds of steps 5 to 7; 3 without a budget, else as it allows",
    )
    autopilot: Truth = Field(
        default=True, description="Apply decisions within the task's space without asking"
    )
    search: SearchOptions = Field(
        default_factory=SearchOptions, description="How steps 4 and 5 search"
    )


def check_texts(config: StudyConfig) -> None:
    """Check that every text of a config can be stored: Postgres has no NUL in a text.

    The name is checked where it is read.

    Raises:
        InvalidSetting: One holds a NUL; names field, value and cure.
    """
    for field, text in _texts(config):
        if "\x00" in text:
            raise InvalidSetting(field, text, "leave out the NUL character")


def _texts(config: StudyConfig) -> Iterator[tuple[str, str]]:
    """Texts that a person gave, with their fields."""
    yield "task", config.task
    settings = {"task_args": config.task_args, "set": config.set, "incumbent": config.incumbent}
    for field, values in settings.items():
        for name, value in values.items():
            yield field, name
            if isinstance(value, str):
                yield f"{field}.{name}", value
    for name, distribution in config.space.root.items():
        yield "space", name
        for value in distribution.extremes():
            if isinstance(value, str):
                yield f"space.{name}", value
