"""A validation loss that is no number while training goes on."""

import math

import pytest

from recipes.readings import read
from recipes.trial import TrialCause
from tests.recipes_tests.curve_builders import evidence, read_trial

LOSSES = [2.3, 1.5, 1.0, 0.7, 0.5]


def found(trial):
    """What is said of a loss that is no number, or None."""
    said = read(evidence(trial))
    return next((each for each in said if each.code == "non_finite_loss"), None)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_validation_loss_that_is_no_number(bad):
    finding = found(read_trial(train_loss=LOSSES, val_loss=[2.3, 1.6, bad, 0.9, bad]))

    assert "40 % of its evaluations, first after iteration 40" in finding.sentence
    assert finding.causes[0].code == "undefined_operation"


def test_numbers_throughout_and_a_trial_that_ended_for_it_are_told_elsewhere():
    whole = read_trial(train_loss=LOSSES, val_loss=LOSSES)
    ended = read_trial(
        train_loss=LOSSES[:2],
        val_loss=[2.3, math.inf],
        losses=[2.3, 2.2, math.nan],
        cause=TrialCause.NON_FINITE,
    )

    assert found(whole) is None
    assert "from one iteration to the next" in found(ended).sentence
