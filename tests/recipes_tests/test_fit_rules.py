"""The rules on fit where they are easily wrong: hard tasks, heavy regularisation, few samples."""

import numpy as np
import pytest

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.lr_drop import lr_drop
from recipes.evidence.trial_series import trial_series
from recipes.finding import Finding, Severity
from recipes.metric import Metric
from recipes.outcome import ModeLosses
from recipes.readings import read
from recipes.rules.impairment import impairment
from tests.recipes_tests.builders import regression
from tests.recipes_tests.curve_builders import evidence, falling, healthy_trial, read_trial

ACCURACY = Metric(name="accuracy", maximise=True)


def found(trial, code: str, **fields) -> Finding | None:
    return next((each for each in read(evidence(trial, **fields)) if each.code == code), None)


def reaching(train: float, val: float, **fields):
    """Settled at these accuracies, with a train loss far from nothing."""
    given = {
        "train_loss": falling(2.3, 0.5, 20),
        "val_loss": falling(2.3, 0.52, 20),
        "train": falling(0.1, train, 20),
        "val": falling(0.1, val, 20),
    }
    return healthy_trial(**{**given, **fields})


def test_from_90_per_cent_on_a_poor_fit_without_a_reason_is_a_note():
    finding = found(reaching(0.92, 0.91), "underfitting")

    assert finding.severity is Severity.INFO
    assert "a hint only, for from 90 % on" in finding.sentence
    assert "cannot express more" not in finding.sentence
    assert found(reaching(0.88, 0.87), "underfitting").severity is Severity.WARNING


def test_a_gap_beyond_chance_leaves_doubt_whether_fit_is_what_lacks():
    finding = found(reaching(0.84, 0.80), "underfitting")

    assert finding.severity is Severity.INFO
    assert "knows them better than others" in finding.sentence


def test_a_plateau_that_the_probe_ends_is_the_rate_s():
    trial = reaching(0.8, 0.79)
    probe = read_trial(
        9,
        train_loss=[0.5, 0.4],
        val_loss=[0.52, 0.5],
        val=[0.79, 0.79],
        params={"lr": 1e-2},
    )
    drop = lr_drop(trial_series(probe), trial_series(trial), noise=1e-3, metric=ACCURACY)
    finding = found(trial, "underfitting", lr_drop=drop)

    assert drop.confirms
    assert finding.severity is Severity.INFO
    assert "learning rate's alone" in finding.sentence


HEAVY = {"params": {"weight_decay": 0.1}}


def test_under_heavy_regularisation_a_fit_counts_up_to_99_per_cent():
    held = reaching(0.97, 0.965, **HEAVY)
    finding = found(held, "underfitting")

    assert finding.severity is Severity.WARNING
    assert "less than 99 % counts under regularisation as heavy as this" in finding.sentence
    assert finding.causes[0].code == "over_regularised"
    assert found(reaching(0.97, 0.965), "underfitting") is None
    assert found(reaching(0.995, 0.97, **HEAVY), "underfitting") is None


@pytest.mark.parametrize(("gap", "is_found"), [(0.08, True), (0.12, False)])
def test_under_heavy_regularisation_a_small_gap_is_none(gap, is_found):
    finding = found(reaching(0.8, 0.8 - gap, **HEAVY), "underfitting")

    assert (finding is not None) is is_found


def test_under_heavy_regularisation_a_loss_that_still_falls_is_no_excuse():
    slow = {"train_loss": np.linspace(2.3, 0.3, 21), "val_loss": np.linspace(2.3, 0.32, 21)}
    finding = found(reaching(0.94, 0.94, **slow, **HEAVY, losses=()), "underfitting")

    assert finding.severity is Severity.WARNING
    assert "the train loss still falls, at" in finding.sentence
    assert found(reaching(0.94, 0.94, **slow, losses=()), "underfitting") is None


def test_a_hard_task_does_not_open_the_gate_to_rules_on_internals():
    assert _impaired(reaching(0.92, 0.91)) is None
    assert _impaired(reaching(0.84, 0.80)) is None
    assert "stands still" in _impaired(reaching(0.85, 0.84))
    better = healthy_trial(1, train=falling(0.1, 0.99, 20))
    assert "stands still" in _impaired(reaching(0.92, 0.91), peers=[better])


def test_a_regression_is_impaired_only_where_a_peer_shows_that_more_is_to_be_had():
    noisy = _regression(0, 0.5, 0.45)

    assert _impaired(noisy, task=regression()) is None
    assert _impaired(noisy, task=regression(), peers=[_regression(1, 0.9, 0.85)]) is not None


def test_where_eval_mode_is_at_fault_nothing_is_known_of_impairment():
    modes = ModeLosses(train=0.1, eval=2.0, eval_again=2.0, n=256)
    stands = {"train_loss": np.full(21, 2.0), "val_loss": np.full(21, 2.0)}

    assert _impaired(reaching(0.3, 0.3, **stands)) is not None
    assert _impaired(reaching(0.3, 0.3, **stands, mode_losses=modes)) is None


def _impaired(trial, **fields) -> str | None:
    made: CurveEvidence = evidence(trial, **fields)
    return impairment(made)


def _regression(number: int, train: float, val: float):
    return read_trial(
        number,
        metric="r2",
        train_loss=falling(1.0, 1 - train, 20),
        val_loss=falling(1.0, 1 - val, 20),
        train=falling(0.0, train, 20),
        val=falling(0.0, val, 20),
    )
