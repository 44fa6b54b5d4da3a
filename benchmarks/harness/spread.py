"""The median and quartiles of repeated measurements."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """Of repeats.

    Attributes:
        median: Their middle.
        low: Their first quartile.
        high: Their third quartile.
        count: How many there are.
    """

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value.

        Raises:
            ValueError: There is none.
        """
        if not values:
            raise ValueError("values: there are none; measure at least once")
        if len(values) == 1:
            return cls(values[0], values[0], values[0], 1)
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(middle, low, high, len(values))

    def text(self, form: str = ".3g", unit: str = "") -> str:
        """As a table shows it: the median, and the quartiles in brackets.

        Args:
            form: Of each number.
            unit: Behind the median.
        """
        return f"{self.median:{form}}{unit} ({self.low:{form}} to {self.high:{form}})"
