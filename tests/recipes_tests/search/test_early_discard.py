"""Successive halving, and that a rate which decays is judged at its end alone."""

from __future__ import annotations

import pytest

from recipes.space import Categorical, Float, SearchSpace
from recipes.trial import TrialState
from tests.simulated import Simulated
from tests.whole_study import sentences

LR = Float(1e-4, 1e-1, log=True)
SPACE = SearchSpace({"lr": LR})
BEST_CONSTANT, BEST_DECAYED = 2e-3, 2e-2
NEARLY_DONE = 0.97


def crossing(params, share, seed):
    """Ten times the best constant rate wins when it decays, and stands last until it has."""
    lr = float(params["lr"])
    if params.get("schedule", "constant") == "constant":
        return 0.1 + (0.5 - 0.1 * abs(lr / BEST_CONSTANT - 1) ** 0.5) * share
    if share < NEARLY_DONE:
        return 0.1 + max(0.0, 0.4 - 0.1 * (lr / BEST_CONSTANT) ** 0.5) * share
    return max(0.1, 0.8 - 0.1 * abs(lr / BEST_DECAYED - 1) ** 0.5)


def searched(study, round_number):
    return [
        each
        for each in study.trials.values()
        if each.round == round_number and each.step == 5 and each.purpose.value == "search"
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_decayed_rate_is_not_judged_before_it_has_decayed(seed):
    study = Simulated(crossing, SPACE, seed=seed)
    report = study.run()[-1]
    with_schedule = [each for each in searched(study, 2) if each.params["schedule"] == "cosine"]
    assert with_schedule
    assert all(each.outcome.state is TrialState.COMPLETE for each in with_schedule)
    best = report.result.best.params
    assert best["schedule"] == "cosine", sentences(study.history)
    assert float(best["lr"]) > 2 * BEST_CONSTANT


def test_constant_rates_are_halved():
    study = Simulated(crossing, SPACE)
    study.run()
    states = [each.outcome.state for each in searched(study, 1)]
    assert states.count(TrialState.PRUNED) > len(states) / 2


def test_nothing_is_discarded_when_the_space_has_decaying_schedules():
    space = SearchSpace({"lr": LR, "schedule": Categorical(["constant", "cosine"])})
    study = Simulated(crossing, space)
    study.run()
    assert all(each.outcome.state is not TrialState.PRUNED for each in study.trials.values())
