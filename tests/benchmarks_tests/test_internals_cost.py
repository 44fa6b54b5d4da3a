"""What internals cost: the arithmetic of the ratio, and that they change no training."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.internals_cost import measured_ratio, ratio_of


def test_a_constant_ratio_has_no_width():
    without = [1.0, 3.0, 0.5, 2.0]
    ratio = ratio_of([1.04 * each for each in without], without)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1.04, 1.04, 1.04))
    assert ratio.num_pairs == 4


def test_twice_and_half_are_equal_on_average():
    ratio = ratio_of([2.0, 1.0, 1.0], [1.0, 2.0, 1.0])
    assert ratio.value == pytest.approx(1)
    assert ratio.low == pytest.approx(1 / ratio.high)


def test_the_interval_is_students_on_the_logarithms():
    logs = np.log([1.02, 1.1, 0.97, 1.05])
    ratio = ratio_of(np.exp(logs).tolist(), [1.0] * 4)
    low, high = stats.t.interval(0.95, 3, loc=logs.mean(), scale=stats.sem(logs))
    assert (ratio.low, ratio.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_the_interval_holds_the_true_ratio_in_nineteen_of_twenty():
    rng = np.random.default_rng(0)
    num_held = 0
    for _ in range(400):
        shared = rng.lognormal(0, 0.5, 10)
        with_seconds = 1.03 * shared * rng.lognormal(0, 0.05, 10)
        ratio = ratio_of(with_seconds.tolist(), shared.tolist())
        num_held += ratio.low <= 1.03 <= ratio.high
    assert 0.92 <= num_held / 400 <= 0.98


@pytest.mark.parametrize(
    ("with_seconds", "without_seconds", "why"),
    [
        pytest.param([1.0, 1.0], [1.0, 1.0], "2 pairs; give at least 3", id="too few"),
        pytest.param([1.0, 1.0, 1.0], [1.0, 1.0], "has 3 values and without_seconds 2", id="odd"),
        pytest.param([1.0, 0.0, 1.0], [1.0, 1.0, 1.0], "more epochs", id="no time"),
    ],
)
def test_refused(with_seconds, without_seconds, why):
    with pytest.raises(ValueError, match=why):
        ratio_of(with_seconds, without_seconds)


def test_trainings_with_and_without_have_equal_losses():
    assert measured_ratio(1, 3).num_pairs == 3
