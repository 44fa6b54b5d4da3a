"""A change the loop tries: said before it runs, checked after."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from recipes.value import Number, Value


class EffectKind(StrEnum):
    """Whether a change did what was expected of it."""

    CONFIRMED = "confirmed"  # better by more than the noise
    LIKELY = "likely"  # better by half of the noise or more: kept, though not shown
    REFUTED = "refuted"  # no better, or by less than that: taken back
    UNTESTED = "untested"  # the round ended without a run that could tell


class Hypothesis(Value):
    """What a round changes and why, stored before the round runs.

    Attributes:
        advice: Which advice this is, the same word each time it is given.
        because: Codes of the findings that led to it.
        sentence: What is changed, why, and what is expected.
        changes: What step 5 does differently, by name; ``round_plan`` holds the whole plan
            (``recipes.search.round_plan``).
        expected: Least gain of the metric that counts as help, on the metric's own scale.
        noise: Standard deviation of the metric between seeds, as known when it was stored.
        baseline: The metric's mean to compare with, and the trial that stands for it.
    """

    advice: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    because: tuple[str, ...] = ()
    sentence: str
    changes: dict[str, Any] = Field(default_factory=dict)
    metric: str
    direction: Literal["maximize", "minimize"]
    expected: Number
    noise: Number
    baseline: Number
    baseline_trial: int
    round: int  # the round that carries it out


class Effect(Value):
    """What came of a hypothesis.

    Attributes:
        gain: How much better the metric became (negative: worse), whatever its direction.
        noise: What the gain had to exceed: twice its standard error.
    """

    hypothesis: Hypothesis
    kind: EffectKind
    after: Number
    gain: Number
    noise: Number
    sentence: str
