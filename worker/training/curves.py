"""A member's curves on their way out: thinned to block medians, sent in batches."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable, Mapping

from recipes.curve import MAX_POINTS, CurveBlock, CurveKey
from worker.training.reporting import Reporter

POINTS_PER_SERIES = 2_000
"""About the most points of one series: ten times what a reader of curves looks at."""
FLUSH_POINTS = 1_000
FLUSH_SECONDS = 1.0

Point = tuple[int, float]


class Thinner:
    """Turns a long series into medians of blocks of ``size`` values.

    Blocks lie at fixed places (iteration // span), whenever points are sent: a resumed
    run makes the same points. A block's point stands at its last iteration, so it belongs
    to the attempt that completed it. A series that ends in a non-finite value keeps that
    value as a point of its own.

    Args:
        span: Iterations a block covers.
        pending: The open block of a run that is resumed.
    """

    def __init__(self, span: int, pending: Iterable[Point] = ()) -> None:
        self._span = span
        self.pending: list[Point] = list(pending)

    def add(self, iteration: int, value: float, *, every: int) -> list[Point]:
        """Take a value in; returns the point this completes, if it does.

        Args:
            every: Iterations to the series' next value.
        """
        if self._span == 1:
            return [(iteration, value)]  # most series: a block is one value
        self.pending.append((iteration, value))
        if (iteration + every) // self._span == iteration // self._span:
            return []
        block, self.pending = self.pending, []
        return [_median_point(block)]

    def close(self) -> list[Point]:
        """The points of the open block, when the series has ended."""
        block, self.pending = self.pending, []
        if len(block) > 1 and not math.isfinite(block[-1][1]):
            return [_median_point(block[:-1]), block[-1]]
        return [_median_point(block)] if block else []


class Curves:
    """One member's curves. Points leave in the order of their iterations.

    Args:
        num_iterations: The run's length, which sets how much its series are thinned.
        pending: Open blocks of a run that is resumed, by metric.
    """

    def __init__(
        self,
        report: Reporter,
        trial: int,
        *,
        num_iterations: int,
        pending: Mapping[str, Iterable[Point]] | None = None,
    ) -> None:
        self._report = report
        self._trial = trial
        self._span = max(1, math.ceil(num_iterations / POINTS_PER_SERIES))
        self._thinners = {
            metric: Thinner(self._span, points) for metric, points in (pending or {}).items()
        }
        self._buffer: dict[CurveKey, list[Point]] = {}
        self._num_buffered = 0
        self._flushed_at = time.monotonic()

    def add_step(self, metric: str, iteration: int, value: float, *, every: int = 1) -> None:
        """A value measured during training (split train) ``every`` so often, to be thinned."""
        thinner = self._thinners.get(metric)
        if thinner is None:
            thinner = self._thinners[metric] = Thinner(self._span)
        for point in thinner.add(iteration, value, every=every):
            self.add(metric, "train", *point)

    def add(self, metric: str, split: str, iteration: int, value: float) -> None:
        """A point as it is."""
        self._buffer.setdefault((metric, split), []).append((iteration, value))
        self._num_buffered += 1

    def pending(self) -> dict[str, tuple[Point, ...]]:
        """The open blocks, for a checkpoint."""
        return {metric: tuple(each.pending) for metric, each in self._thinners.items()}

    def flush_when_due(self) -> None:
        """Send what has gathered when it is a good deal or has waited."""
        is_late = time.monotonic() - self._flushed_at >= FLUSH_SECONDS
        if self._num_buffered >= FLUSH_POINTS or is_late:
            self.flush()

    def flush(self) -> None:
        """Send what has gathered."""
        for (metric, split), points in self._buffer.items():
            for start in range(0, len(points), MAX_POINTS):
                iterations, values = zip(*points[start : start + MAX_POINTS], strict=True)
                self._report.points(
                    CurveBlock(
                        trial=self._trial,
                        metric=metric,
                        split=split,
                        iterations=iterations,
                        values=values,
                    )
                )
        self._buffer.clear()
        self._num_buffered = 0
        self._flushed_at = time.monotonic()

    def close(self) -> None:
        """End every series, and send everything."""
        for metric, thinner in self._thinners.items():
            for point in thinner.close():
                self.add(metric, "train", *point)
        self.flush()


def _median_point(block: list[Point]) -> Point:
    values = [value for _, value in block]
    median = math.nan if any(map(math.isnan, values)) else statistics.median(values)
    return block[-1][0], median
