import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.expectation import baseline_loss, expected_initial_loss
from recipes.features import MAX_BLOCKS, block_medians, median_of_last, probably_lower
from recipes.words import listing, number, percent, plural, rate
from tests.recipes_tests.builders import description, outputs, regression, targets


@pytest.mark.parametrize(
    ("task", "value", "certain"),
    [
        (description(), math.log(10), True),
        (description(num_classes=2), math.log(2), True),
        (description(kind="binary", num_classes=None), math.log(2), True),
        (description(kind="multilabel", num_classes=None), math.log(2), True),
        (description(expected_initial_loss=9.0, own_loss=True), 9.0, True),
        (
            description(own_loss=True, outputs=outputs(loss_is_cross_entropy=False)),
            math.log(10),
            False,
        ),
        (description(own_loss=True), math.log(10), True),
        (regression(targets=targets(mean=2.0, variance=1.0)), 5.0, True),
    ],
    ids=[
        "ten",
        "two",
        "binary",
        "multilabel",
        "given",
        "own",
        "own but cross-entropy",
        "regression",
    ],
)
def test_the_expected_loss_of_a_kind(task, value, certain):
    expectation = expected_initial_loss(task)

    assert expectation is not None
    assert expectation.value == pytest.approx(value)
    assert expectation.certain is certain


def test_nothing_is_expected_of_a_custom_loss():
    assert expected_initial_loss(description(kind="custom")) is None


def test_the_best_constant_prediction():
    assert baseline_loss(description()) == pytest.approx(math.log(10))
    assert baseline_loss(regression()) == 1.0
    assert (
        baseline_loss(description(own_loss=True, outputs=outputs(loss_is_cross_entropy=False)))
        is None
    )
    assert baseline_loss(description(own_loss=True, outputs=None)) is None


def test_a_short_series_stays_as_it_is():
    assert list(block_medians([3.0, 1.0])) == [3.0, 1.0]


def test_a_long_series_becomes_medians_of_equal_blocks():
    reduced = block_medians([1.0, 2.0, 30.0] * MAX_BLOCKS)

    assert len(reduced) == MAX_BLOCKS
    assert set(reduced) == {2.0}


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=1000))
def test_any_series_is_reduced_without_a_warning(values):
    reduced = block_medians(values)

    assert len(reduced) <= MAX_BLOCKS
    assert isinstance(median_of_last(values, 5), float)


def test_blocks_of_nothing_finite_are_nan():
    assert np.isnan(block_medians([math.nan, math.inf] * MAX_BLOCKS)).all()
    assert math.isnan(median_of_last([math.nan], 3))


def test_lower_losses_are_told_from_equal_ones():
    assert probably_lower([0.1, 0.2, 0.1, 0.3], [2.0, 2.1, 2.2, 2.0]) < 0.05
    assert probably_lower([2.0, 2.1, 2.2], [2.0, 2.1, 2.2]) > 0.3
    assert probably_lower([0.1, math.nan], [2.0, 2.1, 2.2]) == 1.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.3026, "2.3"),
        (0.05, "0.05"),
        (0, "0"),
        (32, "32"),
        (999.4, "999"),
        (999.7, "1,000"),
        (12345.6, "12,346"),
        (99999.7, "100,000"),
        (1.2e-5, "1.2e-5"),
        (3e7, "3e7"),
        (math.nan, "NaN"),
        (math.inf, "infinity"),
        (-math.inf, "-infinity"),
    ],
    ids=str,
)
def test_numbers_in_sentences(value, text):
    assert number(value) == text


def test_a_number_that_is_rounded_to_one_digit_more():
    assert [number(value, 2) for value in (99.4, 99.6, 100)] == ["99", "100", "100"]


def test_rates_shares_counts_and_lists():
    assert [rate(value) for value in (0.1, 3.16e-4, 0, math.inf, 1, 21.5, 99.7, 1e3)] == [
        "1e-1",
        "3.2e-4",
        "0",
        "infinity",
        "1",
        "22",
        "1e2",
        "1e3",
    ]
    assert [percent(share) for share in (1.0, 0, 0.0031, 0.42, math.nan)] == [
        "100 %",
        "0 %",
        "0.31 %",
        "42 %",
        "NaN",
    ]
    assert [plural(1, "sample"), plural(1200, "sample"), plural(2, "entry")] == [
        "1 sample",
        "1,200 samples",
        "2 entries",
    ]
    assert listing([]) == ""
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert listing(list("abcdef")) == "a, b, c and 3 more"
