"""The recipe as the conductor sees it: the steps, and what follows what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from recipes.plan import STEPS, Next, next_step
from recipes.step import Step, StepReport
from recipes.study import StudyConfig


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps by number, and the pure function that orders them by the reports so far."""

    steps: Mapping[int, Step]
    next_step: Callable[[StudyConfig, Sequence[StepReport]], Next]


SEVENSTEP = Recipe(STEPS, next_step)
"""The recipe this product is named after."""
