"""Settings as points, and which points are tried."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import qmc

from recipes.search import proposals
from recipes.search.cube import ZERO_SHARE, is_atom, to_params, to_unit, to_value
from recipes.search.proposals import propose
from recipes.search.tpe import Observation, importances, propose_tpe
from recipes.space import Categorical, Float, Int, SearchSpace

SPACE = SearchSpace(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
        "hidden": Int(32, 256, log=True),
        "dropout": Float(0.0, 0.5),
        "optimizer": Categorical(["sgd", "adamw", "rmsprop"]),
    }
)
UNIT = st.floats(0.0, 1.0)


@given(st.tuples(UNIT, UNIT, UNIT, UNIT, UNIT))
def test_every_point_is_a_setting_of_the_space(point):
    params = to_params(SPACE, point)
    assert list(params) == list(SPACE.root)
    for name, distribution in SPACE.root.items():
        assert distribution.holds(params[name])
    back = [to_unit(SPACE[name], value) for name, value in params.items()]
    assert all(-1e-9 <= unit <= 1 + 1e-9 for unit in back)
    assert to_params(SPACE, back)["optimizer"] == params["optimizer"]


def test_the_lowest_eighth_of_a_range_with_zero_is_zero():
    decay = SPACE["weight_decay"]
    assert to_value(decay, ZERO_SHARE - 1e-9) == 0
    assert to_value(decay, ZERO_SHARE) == 1e-6
    assert to_unit(decay, 0.0) == ZERO_SHARE / 2
    assert is_atom(decay, 0.0)
    assert not is_atom(decay, 1e-6)


def test_a_log_range_is_uniform_in_its_logarithm():
    lr = SPACE["lr"]
    assert to_value(lr, 0.5) == pytest.approx(1e-2, rel=1e-3)
    assert to_unit(lr, 1e-2) == pytest.approx(0.5)
    assert to_unit(lr, 10.0) == pytest.approx(1.25)


@pytest.mark.parametrize("kind", ["sobol", "random"])
def test_a_stream_gone_on_with_is_the_same_stream(kind):
    whole = propose(kind, SPACE, first=0, count=13, seed=4)
    pieces = [
        *propose(kind, SPACE, first=0, count=3, seed=4),
        *propose(kind, SPACE, first=3, count=1, seed=4),
        *propose(kind, SPACE, first=4, count=9, seed=4),
    ]
    assert whole == pieces
    assert whole != propose(kind, SPACE, first=0, count=13, seed=5)


def test_sobol_points_fill_the_space_more_evenly_than_chance():
    """64 points, 8 equal cells of each coordinate: Sobol puts exactly 8 in each."""
    space = SearchSpace({"a": Float(0.0, 1.0), "b": Float(0.0, 1.0)})
    points = propose("sobol", space, first=0, count=64, seed=1)
    for name in ("a", "b"):
        cells = np.bincount([min(int(8 * float(each[name])), 7) for each in points])
        assert cells.tolist() == [8] * 8


def test_a_grid_has_equal_levels_and_every_choice():
    space = SearchSpace({"lr": Float(1e-4, 1.0, log=True), "act": Categorical(["a", "b"])})
    points = propose("grid", space, first=0, count=10, seed=0)
    assert len(points) == 6
    assert len({each["lr"] for each in points}) == 3
    assert {each["act"] for each in points} == {"a", "b"}


@pytest.mark.parametrize(("count", "levels"), [(10, 1), (12, 2), (17, 2), (18, 3)])
def test_a_grid_has_fewer_levels_rather_than_fewer_choices(count, levels):
    space = SearchSpace(
        {"act": Categorical(["a", "b", "c", "d", "e", "f"]), "lr": Float(1e-4, 1.0, log=True)}
    )
    points = propose("grid", space, first=0, count=count, seed=0)
    assert len(points) == 6 * levels
    assert len({each["act"] for each in points}) == 6
    assert len({each["lr"] for each in points}) == levels


def test_a_grid_that_not_every_combination_of_choices_fits_into_is_sobols():
    space = SPACE.replace(act=Categorical(["a", "b", "c", "d"]))
    assert propose("grid", space, first=0, count=11, seed=3) == propose(
        "sobol", space, first=0, count=11, seed=3
    )


def test_more_names_than_sobol_has_dimensions_are_drawn_at_random(monkeypatch):
    monkeypatch.setattr("recipes.search.proposals.MAX_DIMENSIONS", 3)
    assert propose("sobol", SPACE, first=2, count=4, seed=1) == propose(
        "random", SPACE, first=2, count=4, seed=1
    )


def test_an_empty_space_and_an_unknown_kind():
    assert propose("sobol", SearchSpace({}), first=0, count=3, seed=0) == [{}, {}, {}]
    assert propose_tpe(SearchSpace({}), [], count=2, seed=0) == [{}, {}]
    with pytest.raises(ValueError, match=r"kind: 'halton' .* choose one of"):
        propose("halton", SPACE, first=0, count=1, seed=0)


def _observed(count, score):
    return [
        Observation(each, score(each))
        for each in propose("sobol", SPACE, first=0, count=count, seed=1)
    ]


def _by_lr(params):
    return -((math.log10(float(params["lr"])) + 1) ** 2)


def test_tpe_goes_where_it_was_good_and_repeats_itself():
    seen = _observed(32, _by_lr)
    proposed = propose_tpe(SPACE, seen, count=8, seed=3)
    assert proposed == propose_tpe(SPACE, seen, count=8, seed=3)
    assert proposed != propose_tpe(SPACE, seen, count=8, seed=4)
    assert len({each["lr"] for each in proposed}) == 8
    distances = [abs(math.log10(float(each["lr"])) + 1) for each in proposed]
    assert np.median(distances) < 0.6  # a quasi-random generation has 1 on average


def test_tpe_takes_diverged_and_discarded_trials():
    seen = [
        Observation(each.params, None if float(each.params["lr"]) > 0.3 else each.score)
        for each in _observed(24, _by_lr)
    ]
    seen.append(Observation(seen[0].params, -3.0, is_pruned=True, by_epoch={1: -5.0, 2: -3.0}))
    proposed = propose_tpe(SPACE, seen, count=8, seed=3)
    assert sum(float(each["lr"]) > 0.3 for each in proposed) <= 2


def test_importance_is_where_the_best_differ_from_all():
    shares = importances(SPACE, _observed(40, _by_lr))
    assert max(shares, key=lambda name: shares[name]) == "lr"
    assert shares["lr"] > 0.7
    assert sum(shares.values()) == pytest.approx(1.0)
    equal = importances(SPACE, [Observation(each.params, 1.0) for each in _observed(24, _by_lr)])
    assert set(equal.values()) == {1 / 5}


def test_the_most_dimensions_are_those_of_scipys_sequence() -> None:
    assert proposals.MAX_DIMENSIONS == qmc.Sobol.MAXDIM
