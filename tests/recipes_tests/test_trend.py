"""Statistics of short series, against series whose truth is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.trend import (
    bend,
    events,
    is_flat,
    line_over_exponential,
    noise_sd,
    running_median,
    trend,
)

FINITE = st.lists(st.floats(-1e30, 1e30), max_size=40).map(np.asarray)


def noise(size, seed=0):
    return np.random.default_rng(seed).normal(size=size)


def test_the_running_median_ignores_a_spike_and_keeps_the_ends():
    smooth = running_median(np.array([1.0, 2, 3, 90, 5, 6, 7]))

    assert smooth.tolist() == [2.0, 2.5, 3.0, 5.0, 6.0, 6.5, 6.0]
    assert len(running_median(np.empty(0))) == 0


def test_a_trend_has_slope_and_interval():
    found = trend(0.5 * np.arange(20) + noise(20))

    assert found.low < 0.5 < found.high
    assert found.rises
    assert not found.falls
    assert found.p_rising < 1e-3
    assert trend(np.arange(4.0)) is None
    assert trend(np.ones(8)).slope == 0


def test_white_noise_has_a_trend_one_time_in_ten():
    """Both sides at 5 %: of 400 series about 40."""
    found = [trend(noise(12, seed)) for seed in range(400)]

    assert 15 < sum(each.rises or each.falls for each in found) < 60


def test_the_level_is_strict_under_autocorrelation():
    steps = np.repeat(noise(5, 3), 4) + 0.01 * noise(20, 4)
    shuffled = np.random.default_rng(1).permutation(steps)

    assert trend(steps).high - trend(steps).low > 0
    wide, narrow = trend(steps), trend(shuffled)
    assert wide.high - wide.low != pytest.approx(narrow.high - narrow.low)


def test_noise_is_measured_around_a_course():
    course = 2.3 * np.exp(-np.arange(60) / 20)
    measured = [noise_sd(course + 0.05 * noise(60, seed)) for seed in range(20)]

    assert np.mean(measured) == pytest.approx(0.05, rel=0.25)
    assert noise_sd(course) < 0.005
    assert noise_sd(np.arange(3.0)) == 0


@pytest.mark.parametrize(
    ("series", "flat"),
    [
        (1 - 0.0001 * np.arange(12), True),  # a sure trend that leads nowhere
        (1 - 0.01 * np.arange(12), False),
        (np.ones(3), False),
    ],
)
def test_standing_still_is_noise_or_next_to_nothing(series, flat):
    assert is_flat(series, share=0.005) is flat


def test_the_bend_is_where_it_was_put():
    series = np.concatenate((np.full(30, 2.3), 2.3 - 0.05 * np.arange(20)))
    found = bend(series + 0.005 * noise(50))

    assert abs(found.at - 31) <= 2
    assert found.level_before == pytest.approx(2.3, abs=0.01)
    assert found.slope_before == pytest.approx(0, abs=1e-3)
    assert found.slope_after == pytest.approx(-0.05, rel=0.1)
    assert bend(np.arange(5.0)) is None


def test_lines_and_exponentials_are_told_apart():
    times = np.arange(100)

    assert line_over_exponential(2.3 - 0.002 * times + 0.01 * noise(100)) > 2
    assert line_over_exponential(2.3 * np.exp(-times / 20) + 0.01 * noise(100)) < -2
    assert math.isnan(line_over_exponential(np.ones(20)))
    assert math.isnan(line_over_exponential(np.arange(5.0)))


def test_events_are_runs_of_true():
    assert list(events(np.array([True, True, False, False, True]))) == [(0, 2), (4, 5)]
    assert list(events(np.zeros(3, dtype=bool))) == []


def test_noise_mostly_stands_still():
    """The slope times the length is about as large as the noise: two times in three less."""
    flat = [is_flat(1 + 0.05 * noise(12, seed), share=0.005) for seed in range(200)]

    assert sum(flat) > 100


@settings(deadline=None)
@given(FINITE)
def test_no_series_breaks_a_statistic(series):
    assert len(running_median(series)) == len(series)
    assert noise_sd(series) >= 0
    found = trend(series)
    assert (found is None) == (len(series) < 5)
    assert found is None or found.low <= found.high
    assert is_flat(series, share=0.005) in (True, False)
    break_at = bend(series)
    assert break_at is None or 3 <= break_at.at <= len(series) - 3
    assert line_over_exponential(series) is not None
