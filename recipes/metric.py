"""A metric: which way is better, how large a difference matters, how people read it."""

from __future__ import annotations

import math

from recipes.value import Value
from recipes.words import number

POINT_METRICS = ("accuracy", "r2")
"""Metrics whose useful range is 0 to 1, so that a difference of 0.01 is a point of it."""

NAMES = {"r2": "R²"}


class Metric(Value):
    """One quantity of an evaluation.

    Attributes:
        name: As evaluations call it.
        maximise: Whether higher is better.
    """

    name: str
    maximise: bool

    @property
    def has_points(self) -> bool:
        """Whether thresholds told in points of a 0-to-1 range apply to it."""
        return self.name in POINT_METRICS

    @property
    def label(self) -> str:
        """The name in sentences."""
        return NAMES.get(self.name, self.name)

    def error(self, value: float, standard_error: float, n: int) -> float:
        """A standard error that is not 0 where all samples are right, or all wrong.

        For accuracies Agresti & Coull's (1998): two right and two wrong samples are added.
        For other metrics the given one.
        """
        if self.name != "accuracy" or not (n and math.isfinite(value)):
            return standard_error
        share = (value * n + 2) / (n + 4)
        return math.sqrt(max(0.0, share * (1 - share)) / (n + 4))

    def gain(self, before: float, after: float) -> float:
        """How much better ``after`` is; negative when it is worse."""
        return after - before if self.maximise else before - after

    def text(self, value: float, standard_error: float | None = None) -> str:
        """``96.1 % ± 1``, ``0.45 ± 0.06``; without ± where the error is not known."""
        is_share = self.name == "accuracy" and math.isfinite(value)
        body = f"{100 * value:.3g} %" if is_share else number(value)
        if standard_error is None or not math.isfinite(standard_error):
            return body
        return f"{body} ± {self._small(standard_error)}"

    def difference(self, value: float) -> str:
        """A difference without its sign: ``12 points``, ``0.31``."""
        amount = self._small(abs(value))
        if self.name != "accuracy":
            return amount
        return f"{amount} point" if amount == "1" else f"{amount} points"

    def _small(self, value: float) -> str:
        return number(100 * value if self.name == "accuracy" else value, 2)
