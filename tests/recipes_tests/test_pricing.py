from __future__ import annotations

import pytest

from recipes.budget import Budget
from recipes.pricing import MOST_ROUNDS, StepPrice, price
from recipes.step import StepKind
from recipes.study import StudyConfig
from tests.recipes_tests.builders import description

SECONDS_PER_EPOCH = 0.015


def prices(budget: Budget, max_rounds: int | None = None) -> dict[StepKind, StepPrice]:
    config = StudyConfig(name="n", task="digits", budget=budget, max_rounds=max_rounds)
    return {each.kind: each for each in price(description(), config, SECONDS_PER_EPOCH, 2)}


def test_a_budget_is_priced_with_the_rounds_it_pays_for() -> None:
    three = prices(Budget(wall_seconds=900), 3)[StepKind.FINE_SEARCH]
    all_of_them = prices(Budget(wall_seconds=900))
    many = all_of_them[StepKind.FINE_SEARCH]
    assert three.sentence.startswith("At most 3 rounds")
    assert many.sentence.startswith(f"At most {MOST_ROUNDS} rounds")
    assert "while there is advice left" in many.sentence
    assert many.seconds > 3 * three.seconds
    assert sum(each.seconds for each in all_of_them.values()) < 900


def test_a_small_budget_is_not_priced_above_its_share() -> None:
    found = prices(Budget(epochs=600))[StepKind.FINE_SEARCH]
    assert found.epochs <= 600 * 0.45 + 1
    assert found.sentence.startswith("At most 3 rounds")


@pytest.mark.parametrize("trials", [20, 64, 400])
def test_a_budget_of_trials_is_priced_within_it(trials: int) -> None:
    found = prices(Budget(trials=trials))
    searching = (StepKind.COARSE_SEARCH, StepKind.FINE_SEARCH, StepKind.LOOP)

    assert 0.5 * trials < sum(found[kind].trials for kind in searching) <= trials


def test_a_budget_of_device_hours_is_priced_within_its_shares() -> None:
    hours = 0.01
    found = prices(Budget(device_hours=hours))

    for kind, share in ((StepKind.FINE_SEARCH, 0.45), (StepKind.LOOP, 0.15)):
        assert 0 < found[kind].epochs * SECONDS_PER_EPOCH <= hours * 3600 * share * 1.001


def test_a_budget_that_pays_for_no_final_run_says_so() -> None:
    found = prices(Budget(epochs=40))[StepKind.LOOP]

    assert (found.trials, found.epochs, found.seconds) == (0, 0, 0)
    assert found.sentence.startswith("No final runs")


def test_without_a_budget_there_are_three_rounds() -> None:
    found = prices(Budget())[StepKind.FINE_SEARCH]
    assert found.sentence.startswith("At most 3 rounds of 16 settings")
    assert "advice" not in found.sentence


def test_trials_too_short_to_price_are_called_so() -> None:
    config = StudyConfig(name="n", task="digits")
    short, long = (
        {each.kind: each for each in price(description(), config, seconds, 2)}
        for seconds in (0.01, 0.2)
    )
    assert "several times as long" in short[StepKind.FINE_SEARCH].sentence
    assert "several times as long" not in long[StepKind.FINE_SEARCH].sentence
