"""The rules on fit where they are easily wrong: hard tasks, heavy regularisation, few samples."""

import numpy as np
import pytest

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.lr_drop import lr_drop
from recipes.evidence.lr_finder import LrFinderEvidence, Rate, RateResult
from recipes.evidence.trial_series import trial_series
from recipes.finding import Finding, Severity
from recipes.metric import Metric
from recipes.outcome import ModeLosses
from recipes.readings import read
from recipes.rules.finder_small_validation_set import small_validation_set_in_finder
from recipes.rules.impairment import impairment
from recipes.rules.noisy_labels import noisy_labels
from tests.recipes_tests.builders import description, regression
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


def test_from_85_per_cent_on_a_poor_fit_without_a_reason_is_a_note():
    finding = found(reaching(0.92, 0.91), "underfitting")

    assert finding.severity is Severity.INFO
    assert "a hint only, for from 85 % on" in finding.sentence
    assert "cannot express more" not in finding.sentence
    assert found(reaching(0.84, 0.83), "underfitting").severity is Severity.WARNING


MANY = {"n_train": 5_000, "n_val": 5_000}


def test_a_gap_beyond_chance_leaves_doubt_whether_fit_is_what_lacks():
    finding = found(reaching(0.84, 0.80, **MANY), "underfitting")

    assert finding.severity is Severity.INFO
    assert "knows them better than others" in finding.sentence


def test_a_plateau_that_the_probe_ends_is_the_rate_s():
    trial = reaching(0.8, 0.79)
    drop = _confirming(trial)
    finding = found(trial, "underfitting", lr_drop=drop)

    assert drop.confirms
    assert finding.severity is Severity.INFO
    assert "learning rate's alone" in finding.sentence


def test_a_model_that_fits_at_another_rate_is_not_what_lacks():
    # Not by so much that the rate itself is called too high.
    at_another_rate = healthy_trial(1, params={"lr": 6e-2})
    of_another_width = healthy_trial(1, params={"lr": 6e-2, "width": 64})
    finding = found(reaching(0.8, 0.79), "underfitting", peers=[at_another_rate])

    assert finding.severity is Severity.INFO
    assert "the same model fits better at another learning rate" in finding.sentence
    other = found(reaching(0.8, 0.79), "underfitting", peers=[of_another_width])
    assert other.severity is Severity.WARNING


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
    assert _impaired(reaching(0.84, 0.80, **MANY)) is None
    assert "stands still" in _impaired(reaching(0.84, 0.83))
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


def _confirming(trial):
    """A probe at a tenth of the rate: the train loss falls, validation gains nothing."""
    series = trial_series(trial)
    train, val = (float(series.series("loss", split).trained[-1]) for split in ("train", "val"))
    right = float(series.series("accuracy", "val").trained[-1])
    probe = read_trial(
        9,
        train_loss=[train, 0.8 * train],
        val_loss=[val, val],
        val=[right, right],
        params={"lr": 1e-2},
    )
    return lr_drop(trial_series(probe), series, noise=1e-3, metric=ACCURACY)


def test_a_lower_rate_that_gains_nothing_does_not_explain_even_doubt():
    course = falling(2.3026, 1.27, 20, half_life=1)  # even doubt at 30 % wrong of ten classes
    right = falling(0.1, 0.7, 20, half_life=1)
    trial = healthy_trial(train_loss=course, val_loss=course, train=right, val=right)
    drop = _confirming(trial)

    assert found(trial, "lr_too_high", lr_drop=drop).severity is Severity.INFO
    assert found(trial, "noisy_labels", lr_drop=drop).severity is Severity.WARNING


def memorising(train: float, val: float, *, metric: str, **fields):
    """Learned by heart, with a validation loss that turned while its metric crept on."""
    losses = np.concatenate((falling(2.3, 0.3, 6), np.linspace(0.3, 0.5, 15)[1:]))
    given = {
        "metric": metric,
        "train_loss": falling(2.3, 0.001, 20),
        "val_loss": losses,
        "train": falling(0.1, train, 20),
        "val": np.concatenate((falling(0.1, val - 0.03, 10), np.linspace(val - 0.03, val, 10))),
    }
    return read_trial(0, **{**given, **fields})


def test_a_gap_under_ten_points_does_harm_where_the_turn_is_beyond_chance():
    trial = memorising(1.0, 0.92, metric="accuracy")

    assert found(trial, "overtraining").severity is Severity.INFO
    assert found(trial, "overfitting").severity is Severity.WARNING
    few = memorising(1.0, 0.92, metric="accuracy", n_val=100, n_train=100)
    assert found(few, "overfitting") is None or found(few, "overfitting").severity is Severity.INFO


@pytest.mark.parametrize(("val", "severity"), [(0.5, Severity.INFO), (0.2, Severity.WARNING)])
def test_a_gap_in_r2_is_strong_where_validation_keeps_little_of_the_fit(val, severity):
    trial = read_trial(
        metric="r2",
        train_loss=falling(1.0, 0.2, 20),
        val_loss=falling(1.0, 1 - val, 20),
        train=falling(0.0, 0.8, 20),
        val=falling(0.0, val, 20),
    )

    assert found(trial, "overfitting", task=regression()).severity is severity


def test_all_right_on_few_validation_samples_is_not_certain_to_be_easier():
    right = np.concatenate(([0.5], np.ones(20)))
    trial = healthy_trial(train=falling(0.1, 0.985, 20), val=right, n_val=30)

    assert found(trial, "val_better_than_train") is None


@pytest.mark.parametrize(
    ("val_after", "num_unseen", "is_small"),
    [(0.67, 142, True), (0.74, 142, False), (0.74, 15, True)],
    ids=["could not be seen", "is ruled out", "too few to rule it out"],
)
def test_a_fall_that_unseen_samples_rule_out_is_not_their_number_s(
    val_after, num_unseen, is_small
):
    rate = Rate(
        lr=0.05,
        result=RateResult.BARELY_MOVES,
        trial=0,
        loss_before=0.67,
        loss_after=val_after,
        standard_error=0.045,
        train_before=0.66,
        train_after=0.597,
        update_ratio=1e-2,
        non_finite=False,
        dead_share=None,
        num_unseen=num_unseen,
    )
    finder = LrFinderEvidence(description(), (rate,), None, False, None, 0.01, (), ())

    assert (small_validation_set_in_finder(finder) is not None) is is_small
    assert (noisy_labels(finder) is not None) is not is_small


def test_validation_above_train_is_nothing_where_eval_mode_is_at_fault():
    modes = ModeLosses(train=0.1, eval=2.0, eval_again=2.0, n=256)
    stands = {"train_loss": np.full(21, 2.0), "val_loss": np.full(21, 2.0)}
    trial = reaching(0.6, 0.8, **stands)
    broken = reaching(0.6, 0.8, **stands, mode_losses=modes)

    assert found(trial, "val_better_than_train").severity is Severity.WARNING
    assert found(broken, "val_better_than_train") is None


@pytest.mark.parametrize(("n_val", "severity"), [(200, Severity.INFO), (1_000, Severity.WARNING)])
def test_a_rise_must_exceed_the_noise_of_few_validation_samples(n_val, severity):
    """0.045 is 1.3 standard errors of 200 samples and 2.8 of 1,000, whose sd is 0.5."""
    losses = np.concatenate((falling(2.3, 0.4, 8), np.linspace(0.4, 0.445, 13)[1:]))
    level = {"val": np.full(21, 0.9), "train_loss": falling(2.3, 0.02, 20)}
    trial = healthy_trial(val_loss=losses, n_val=n_val, **level)

    assert found(trial, "overtraining").severity is severity
