from __future__ import annotations

import math
import statistics
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.curve import MAX_POINTS
from worker.training.collecting import CollectingReporter
from worker.training.curves import POINTS_PER_SERIES, Curves, Thinner


def thinned(values: list[float], *, span: int, every: int = 1) -> list[tuple[int, float]]:
    thinner = Thinner(span)
    points = [thinner.add(i * every, value, every=every) for i, value in enumerate(values)]
    return [*chain.from_iterable(points), *thinner.close()]


def test_a_short_series_is_kept_as_it_is() -> None:
    assert thinned([3.0, 1.0, 2.0], span=1) == [(0, 3.0), (1, 1.0), (2, 2.0)]


def test_a_block_becomes_its_median_at_its_last_iteration() -> None:
    assert thinned([3, 1, 2, 9, 8, 7, 5], span=3) == [(2, 2), (5, 8), (6, 5)]


def test_a_sparse_series_is_thinned_by_the_same_blocks() -> None:
    assert thinned([1, 2, 3, 4, 5], span=4, every=2) == [(2, 1.5), (6, 3.5), (8, 5)]
    assert thinned([1, 2, 3], span=4, every=10) == [(0, 1), (10, 2), (20, 3)]


def test_the_value_that_ends_a_series_is_seen_when_it_is_not_finite() -> None:
    points = thinned([1, 1, 1, 2, 3, math.nan], span=4)
    assert points[:2] == [(3, 1), (4, 3)]
    assert points[2][0] == 5
    assert math.isnan(points[2][1])


def test_a_nan_inside_a_block_shows() -> None:
    assert math.isnan(thinned([1, math.nan, 2], span=3)[0][1])


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(1, 7), st.data())
def test_resuming_anywhere_makes_the_same_points(
    values: list[float], span: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(values)))
    first = Thinner(span)
    points = [point for i in range(cut) for point in first.add(i, values[i], every=1)]
    second = Thinner(span, first.pending)
    for i in range(cut, len(values)):
        points += second.add(i, values[i], every=1)
    points += second.close()

    assert points == thinned(values, span=span)
    blocks = [values[i : i + span] for i in range(0, len(values), span)]
    assert [value for _, value in points] == [statistics.median(block) for block in blocks]


@pytest.mark.parametrize("num_iterations", [10, 2_000, 2_001, 54_321])
def test_a_series_has_at_most_about_two_thousand_points(num_iterations: int) -> None:
    report = CollectingReporter()
    curves = Curves(report, 3, num_iterations=num_iterations)
    for iteration in range(num_iterations):
        curves.add_step("loss", iteration, 1.0)
        curves.flush_when_due()
    curves.close()
    points = len(report.curve("loss", trial=3).values)

    assert min(num_iterations, POINTS_PER_SERIES // 2) <= points <= POINTS_PER_SERIES
    assert len(report.blocks) <= 1 + points / 500


def test_a_block_is_never_larger_than_the_wire_takes() -> None:
    report = CollectingReporter()
    curves = Curves(report, 0, num_iterations=1)
    for iteration in range(MAX_POINTS + 1):
        curves.add("loss", "val", iteration, 0.0)
    curves.flush()
    assert [len(block.values) for block in report.blocks] == [MAX_POINTS, 1]


def test_nothing_is_sent_twice() -> None:
    report = CollectingReporter()
    curves = Curves(report, 0, num_iterations=10)
    curves.add_step("loss", 0, 1.0)
    curves.flush()
    curves.flush()
    curves.close()
    assert len(report.blocks) == 1
