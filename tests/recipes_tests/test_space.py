import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recipes import Categorical, Float, Int, SearchSpace
from recipes.space import default_space


def test_center_of_a_log_range_is_its_geometric_mean():
    assert Float(1e-4, 1.0, log=True).center() == pytest.approx(1e-2)


def test_center_of_a_linear_range_is_its_middle():
    assert Float(0.0, 1.0).center() == 0.5


def test_center_of_an_int_range_is_whole():
    assert Int(32, 256, log=True).center() == 91
    assert Int(1, 4).center() == 2


def test_default_takes_the_place_of_the_center():
    assert Float(0.0, 1.0, default=0.9).center() == 0.9
    assert Int(1, 8, default=3).center() == 3
    assert Categorical(["a", "b"], default="b").center() == "b"
    assert Categorical(["a", "b"]).center() == "a"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Float(1.0, 0.5), "must be below"),
        (lambda: Float(1.0, 1.0), "must be below"),
        (lambda: Float(0.0, 1.0, log=True), "log range cannot start at 0"),
        (lambda: Float(-1.0, 1.0, log=True), "log range cannot start at -1"),
        (lambda: Float(0.1, 1.0, zero=True), "zero=True"),
        (lambda: Float(math.nan, 1.0), "finite"),
        (lambda: Float(0.0, math.inf), "finite"),
        (lambda: Int(0, 8, log=True), "log range"),
        (lambda: Int(8, 4), "must be below"),
        (lambda: Int(1, 2**63), "less than or equal to 9223372036854775807"),
        (lambda: Int(-(10**400), 1), "greater than or equal to -9223372036854775807"),
        (lambda: Categorical([]), "at least 1"),
        (lambda: Categorical(["a", "a"]), "twice"),
        (lambda: Float(0.0, 1.0, default=2.0), "not one of its values"),
        (lambda: Categorical(["a"], default="b"), "not one of its values"),
        (lambda: Float(0.0, 1.0, typo=1), "typo"),
    ],
    ids=[str(number) for number in range(16)],
)
def test_impossible_ranges_are_refused_with_the_reason(make, words):
    with pytest.raises(ValidationError, match=words):
        make()


def test_values_of_a_range():
    weight_decay = Float(1e-6, 1e-1, log=True, zero=True)
    assert weight_decay.holds(0)
    assert weight_decay.holds(1e-6)
    assert not weight_decay.holds(1.0)
    assert not weight_decay.holds("0.01")
    assert not weight_decay.holds(True)
    assert Int(1, 8).holds(8)
    assert not Int(1, 8).holds(1.5)
    assert not Int(0, 8).holds(True)
    assert Categorical([1, "a"]).holds("a")
    assert not Categorical([1, "a"]).holds(True)


def test_space_travels_as_json_and_back():
    space = default_space().replace(hidden=Int(1, 4), act=Categorical(["relu", 3, True]))

    assert SearchSpace.model_validate_json(space.model_dump_json()) == space
    assert list(space) == ["lr", "weight_decay", "hidden", "act"]
    assert len(space) == 4
    assert "lr" in space
    assert "nothing" not in space
    assert space.center()["hidden"] == 2


@given(
    low=st.floats(1e-12, 1e6, allow_nan=False),
    factor=st.floats(1.001, 1e6),
)
def test_the_center_lies_inside_its_range(low, factor):
    distribution = Float(low, low * factor, log=True)

    assert distribution.holds(distribution.center())
