"""Rules on a search as a whole: sick searches, and healthy ones that look alike."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.evidence.search import search_evidence
from recipes.finding import Severity
from recipes.rules.registry import findings
from recipes.step import StepKind
from recipes.trial import TrialCause
from tests.recipes_tests.builders import SPACE, description
from tests.recipes_tests.search import test_comparing
from tests.recipes_tests.search.test_comparing import searched, trial

EPOCHS = 5


def judged(trials, *, early_discard=True):
    """What the rules find, by code."""
    evidence = search_evidence(
        StepKind.COARSE_SEARCH,
        description(),
        SPACE,
        trials,
        epochs=EPOCHS,
        early_discard=early_discard,
    )
    return {each.code: each for each in findings(evidence)}


def at(rates, accuracies, *, causes=None):
    """One trial a learning rate, with its accuracy; None: it diverged."""
    return [
        trial(
            number,
            [0.1] if accuracy is None else [0.1, *[accuracy] * EPOCHS],
            cause=TrialCause.FINISHED if accuracy is not None else TrialCause.DIVERGED,
            params={"lr": lr, "weight_decay": 1e-4, "hidden": 64},
        )
        for number, (lr, accuracy) in enumerate(zip(rates, accuracies, strict=True))
    ]


RATES = (1e-4, 1e-3, 1e-2, 0.1, 0.2, 0.5, 1.0)


@pytest.mark.parametrize(
    "accuracies",
    [
        (0.3, 0.5, 0.7, 0.95, None, None, None),
        (0.3, 0.5, 0.7, 0.85, 0.95, None, None),
        (0.1, 0.1, 0.1, 0.9, None, None, None),
    ],
)
def test_a_best_rate_beside_those_that_diverge(accuracies):
    finding = judged(at(RATES, accuracies))["best_lr_at_stability_edge"]

    assert finding.severity is Severity.WARNING
    assert "from which on all of" in finding.sentence
    assert "Warm up" in finding.action


def test_a_best_rate_that_lower_ones_equal_is_a_note():
    found = judged(at(RATES, (0.3, 0.94, 0.945, 0.95, None, None, None)))
    assert found["best_lr_at_stability_edge"].severity is Severity.INFO


@pytest.mark.parametrize(
    "accuracies",
    [
        (0.3, 0.95, 0.7, 0.6, None, None, None),  # far below
        (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.9),  # nothing diverges
        (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, None),  # one alone
        (0.3, 0.5, 0.7, 0.95, None, None, 0.3),  # above them it trains again
        (None,) * 7,
    ],
)
def test_a_best_rate_that_stability_does_not_limit(accuracies):
    assert "best_lr_at_stability_edge" not in judged(at(RATES, accuracies))


# Early against final


def crossing(early, final, *, epochs=EPOCHS):
    """One trial a pair: its accuracy after the first epochs, and at the end."""
    return [
        trial(
            number,
            [0.1, first, first, *[last] * (epochs - 2)],
            params={"lr": 1e-3 * 1.5**number, "weight_decay": 1e-4, "hidden": 64},
        )
        for number, (first, last) in enumerate(zip(early, final, strict=True))
    ]


RISING = np.linspace(0.2, 0.5, 16)
FINAL = np.linspace(0.55, 0.95, 16)


@pytest.mark.parametrize("final", [FINAL[::-1], np.roll(FINAL, 8), np.roll(FINAL[::-1], 2)])
def test_ranks_that_turn_round_are_a_mismatch(final):
    finding = judged(crossing(RISING, final))["fidelity_mismatch"]

    assert finding.severity is Severity.WARNING
    assert "Early results mislead: over 16 trials" in finding.sentence
    assert finding.evidence["correlation"] < 0.5


def test_ranks_that_may_be_chance_are_a_note():
    finding = judged(crossing(RISING[:8], FINAL[[3, 0, 5, 1, 7, 2, 6, 4]]))["fidelity_mismatch"]

    assert finding.severity is Severity.INFO
    assert finding.evidence["correlation"] == pytest.approx(1 - 6 * 50 / (8 * 63))


@pytest.mark.parametrize(
    ("early", "final"),
    [
        (RISING, FINAL),  # the same order
        (RISING[:7], FINAL[:7][::-1]),  # too few
        (RISING, 0.9 + 0.002 * np.arange(16)[::-1]),  # equals
        (np.full(16, 0.3), FINAL),  # nothing to rank
    ],
)
def test_ranks_that_last_or_mean_nothing(early, final):
    assert "fidelity_mismatch" not in judged(crossing(early, final))


def test_ranks_that_turn_round_mislead_nobody_where_every_trial_ran_to_its_end():
    trials = crossing(RISING, FINAL[::-1])

    assert "fidelity_mismatch" in judged(trials)
    assert "fidelity_mismatch" not in judged(trials, early_discard=False)


# Edges, and what does not matter


def test_an_edge_that_is_not_the_best_trials_is_told_as_that_of_others():
    trials = at((1e-3, 1e-2, 0.25, 0.8, 0.9), (0.3, 0.4, 0.9, 0.88, 0.89))

    finding = judged(trials)["best_at_edge"]

    assert finding.sentence.startswith(
        "2 of the best 3 trials have lr at the high end of its range (1e-5 to 1), the better one "
        "at 9e-1."
    )
    assert finding.evidence["value"] == 0.9


@pytest.mark.parametrize(
    ("kind", "consequence"),
    [
        (StepKind.COARSE_SEARCH, "it is fixed at the best trial's value."),
        (StepKind.FINE_SEARCH, "any of its values does as well."),
    ],
)
def test_what_does_not_matter_is_fixed_by_step_four_alone(kind, consequence):
    def by_lr(params):
        return 0.9 - 0.1 * abs(math.log10(params["lr"]) + 2)

    space = test_comparing.SPACE
    evidence = search_evidence(
        kind, description(), space, searched(by_lr), epochs=EPOCHS, early_discard=True
    )

    found = {each.code: each for each in findings(evidence)}
    assert found["insensitive_hyperparameter"].sentence.endswith(consequence)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.floats(1e-6, 10),
            st.none() | st.lists(st.floats(0, 1), min_size=1, max_size=EPOCHS),
        ),
        max_size=25,
    )
)
def test_any_search_can_be_judged(drawn):
    trials = [
        trial(
            number,
            [0.1, *(accuracies or [])],
            cause=TrialCause.DIVERGED if accuracies is None else TrialCause.FINISHED,
            params={"lr": lr, "weight_decay": 1e-4, "hidden": 64},
        )
        for number, (lr, accuracies) in enumerate(drawn)
    ]
    for each in judged(trials).values():
        assert each.model_dump_json()
        assert each.sentence
