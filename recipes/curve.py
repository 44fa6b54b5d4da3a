"""Curves: what a run reported, iteration by iteration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import model_validator

from recipes.value import ArrayNumber, Value

MAX_POINTS = 5_000
"""Most points in one block on the wire."""

FIRST_GRADIENT = "gradient_norm/first"
LAST_GRADIENT = "gradient_norm/last"
"""Curves of the gradient norm of a model's first and last weight tensor, as they are declared."""

STALE_GRADIENT = "stale_gradient"
"""Curve of the norm of gradients that were there already before a backward pass. It exists
only where there were any."""

LEARNING_RATE = "lr"
"""Curve of the learning rate that was used, where a schedule or a warm-up changes it."""


class CurveBlock(Value):
    """Consecutive points of one curve, as they travel.

    ``iteration`` counts optimiser steps: 0 is before the first. Each iteration stands
    at most once. ``metric`` may name a layer: ``update_ratio/fc1.weight``.
    """

    trial: int
    metric: str
    split: str  # train, val or test
    iterations: tuple[int, ...]
    values: tuple[ArrayNumber, ...]

    @model_validator(mode="after")
    def _check(self) -> CurveBlock:
        if len(self.iterations) != len(self.values):
            raise ValueError(
                f"{len(self.iterations)} iterations for {len(self.values)} values; send one each"
            )
        if len(self.iterations) > MAX_POINTS:
            raise ValueError(f"{len(self.iterations)} points; send at most {MAX_POINTS} a block")
        pairs = zip(self.iterations, self.iterations[1:], strict=False)
        if any(b <= a for a, b in pairs) or (self.iterations and self.iterations[0] < 0):
            raise ValueError("iterations must rise, from 0 on")
        return self


class Curve(NamedTuple):
    """One curve of one trial, ordered by iteration."""

    iterations: tuple[int, ...]
    values: tuple[float, ...]


EMPTY = Curve((), ())
CurveKey = tuple[str, str]
"""(metric, split)."""


def join(blocks: Iterable[CurveBlock]) -> dict[CurveKey, Curve]:
    """One trial's blocks put together, ordered by iteration. Later blocks win ties."""
    points: dict[CurveKey, dict[int, float]] = {}
    for block in blocks:
        curve = points.setdefault((block.metric, block.split), {})
        curve.update(zip(block.iterations, block.values, strict=True))
    return {
        key: Curve(tuple(sorted(curve)), tuple(curve[i] for i in sorted(curve)))
        for key, curve in points.items()
    }
