from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.training.schedules import SCHEDULES, rate_factor, warmup_iterations


def factors(schedule: str, num_iterations: int, warmup: float = 0.0) -> list[float]:
    return [
        rate_factor(schedule, iteration=i, num_iterations=num_iterations, warmup=warmup)
        for i in range(num_iterations)
    ]


def test_constant_stays() -> None:
    assert factors("constant", 5) == [1.0] * 5


def test_step_divides_by_ten_at_half_and_at_three_quarters() -> None:
    assert factors("step", 8) == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_cosine_goes_from_one_to_nearly_zero_through_a_half() -> None:
    values = factors("cosine", 100)
    assert values[0] == 1.0
    assert values[50] == pytest.approx(0.5)
    assert 0 < values[99] < 0.001


def test_linear_falls_by_equal_steps() -> None:
    assert factors("linear", 4) == [1.0, 0.75, 0.5, 0.25]


def test_inverse_sqrt_is_one_at_the_end_of_the_warmup_and_a_half_at_four_times_it() -> None:
    values = factors("inverse_sqrt", 1_000, warmup=100)
    assert values[100] == 1.0
    assert values[400] == pytest.approx(0.5)


def test_warmup_rises_by_equal_steps_to_one() -> None:
    assert factors("constant", 8, warmup=4) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert factors("linear", 8, warmup=4) == [0.25, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25]


@pytest.mark.parametrize(
    ("warmup", "expected"), [(0, 0), (0.05, 10), (0.5, 100), (1, 1), (30, 30), (1_000, 200)]
)
def test_warmup_below_one_is_a_share_of_the_run(warmup: float, expected: int) -> None:
    assert warmup_iterations(warmup, 200) == expected


@given(
    st.sampled_from(sorted(SCHEDULES)),
    st.integers(1, 500),
    st.floats(0, 600),
    st.data(),
)
def test_factors_lie_between_zero_and_one(
    schedule: str, num_iterations: int, warmup: float, data: st.DataObject
) -> None:
    iteration = data.draw(st.integers(0, num_iterations - 1))
    factor = rate_factor(
        schedule, iteration=iteration, num_iterations=num_iterations, warmup=warmup
    )
    assert math.isfinite(factor)
    assert 0 < factor <= 1
