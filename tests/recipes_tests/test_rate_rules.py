"""Rules on the learning rate beside trials that differ in it alone, and on what else swings."""

from dataclasses import replace

import numpy as np
import pytest

from recipes.curve import Curve
from recipes.evidence.lr_drop import LrDrop
from recipes.finding import Severity
from recipes.metric import Metric
from recipes.rules.curve_lr_too_high import lr_too_high_on_curve
from recipes.rules.curve_lr_too_low import lr_too_low_beside_peer, lr_too_low_on_curve
from recipes.rules.curve_update_ratio import update_ratio_low_on_curve
from recipes.rules.exploding_gradient import exploding_in_training
from recipes.rules.oscillation import oscillation
from recipes.rules.schedule_misfit import schedule_misfit
from recipes.rules.still_improving import still_improving
from recipes.trial import TrialCause
from tests.recipes_tests.builders import moments
from tests.recipes_tests.curve_builders import evidence, falling, healthy_trial, read_trial

LOWER = {"lr": 1e-2}


def stuck_trial(**fields):
    """It falls at once and stays far above what the model can do, at 80 % right."""
    given = {
        "train_loss": falling(2.3, 0.6, 20),
        "val_loss": falling(2.3, 0.7, 20),
        "train": falling(0.1, 0.82, 20),
        "val": falling(0.1, 0.8, 20),
        "losses": falling(2.3, 0.6, 399, half_life=10),
    }
    return read_trial(**{**given, **fields})


def drop(**fields):
    """A probe; by default one that lowers the loss and gains nothing on validation."""
    given = {
        "probe": 9,
        "of": 0,
        "lr": 1e-2,
        "epochs": 2,
        "noise": 0.01,
        "lowest": 0.6,
        "train_before": 0.6,
        "train_after": 0.4,
        "val_before": 0.7,
        "val_after": 0.6,
        "metric": Metric(name="accuracy", maximise=True),
        "metric_before": 0.8,
        "metric_after": 0.8,
        "gain_error": 0.01,
    }
    return LrDrop(**{**given, **fields})


def test_a_trial_that_differs_in_its_lower_rate_alone_shows_a_rate_too_high():
    peer = healthy_trial(1, params=LOWER)
    finding = lr_too_high_on_curve(evidence(stuck_trial(), peers=[peer]))
    assert finding is not None
    assert finding.severity is Severity.WARNING
    assert finding.causes[0].code == "lr_high"
    assert "trial 1, the same but for its rate of 1e-2" in finding.sentence
    assert finding.changes[0].factor == pytest.approx(0.1)


def test_it_shows_nothing_where_more_differs_or_validation_is_not_better():
    probed = {"lr_drop": drop(train_after=0.6)}
    other = healthy_trial(1, params={**LOWER, "weight_decay": 0.0})
    assert lr_too_high_on_curve(evidence(stuck_trial(), peers=[other], **probed)) is None
    learned_by_heart = healthy_trial(1, params=LOWER, val=falling(0.1, 0.83, 20))
    assert (
        lr_too_high_on_curve(evidence(stuck_trial(), peers=[learned_by_heart], **probed)) is None
    )
    heavy = {"weight_decay": 0.5}
    decayed = stuck_trial(params=heavy)
    peer = healthy_trial(1, params={**LOWER, **heavy})
    assert lr_too_high_on_curve(evidence(decayed, peers=[peer], **probed)) is None


def test_a_confirmed_rate_is_a_note_where_the_gain_hardly_counts():
    little = drop(metric_after=0.825)  # two and a half standard errors, two and a half points
    finding = lr_too_high_on_curve(evidence(stuck_trial(), lr_drop=little))
    assert finding is not None
    assert finding.severity is Severity.INFO
    much = drop(metric_after=0.87)
    finding = lr_too_high_on_curve(evidence(stuck_trial(), lr_drop=much))
    assert finding is not None
    assert finding.severity is Severity.WARNING
    heavy = stuck_trial(params={"weight_decay": 0.5})
    finding = lr_too_high_on_curve(evidence(heavy, lr_drop=much))
    assert finding is not None
    assert finding.severity is Severity.INFO
    peer = healthy_trial(1, params=LOWER)
    finding = lr_too_high_on_curve(evidence(stuck_trial(), peers=[peer], lr_drop=little))
    assert finding is not None
    assert finding.severity is Severity.WARNING


def test_a_diverged_run_has_too_high_a_rate_where_a_lower_one_learned():
    gone = read_trial(
        train_loss=[2.3],
        val_loss=[2.3],
        train=[0.1],
        val=[0.1],
        losses=np.geomspace(2.3, 9.0, 30),
        cause=TrialCause.DIVERGED,
    )
    peer = healthy_trial(1, params=LOWER)
    finding = lr_too_high_on_curve(evidence(gone, peers=[peer]))
    assert finding is not None
    assert "its loss exploded" in finding.sentence
    # From a start that is far too high the initial weights may be to blame.
    given = {"val_loss": [9.0], "train": [0.1], "val": [0.1], "losses": np.geomspace(9.0, 30, 30)}
    gone = read_trial(train_loss=[9.0], cause=TrialCause.DIVERGED, **given)
    assert lr_too_high_on_curve(evidence(gone, peers=[peer])) is None
    # A loss that is NaN at once may be a batch's.
    gone = read_trial(losses=[2.3] * 30, cause=TrialCause.NON_FINITE)
    peer = healthy_trial(1, params=LOWER)
    assert lr_too_high_on_curve(evidence(gone, peers=[peer])) is None


def test_swings_down_from_near_the_top_are_held_against_the_errors_of_where_they_go():
    # At 99 % one sample of 400 is a large step; at the bottom of its swings it is a small one.
    val = np.concatenate([falling(0.1, 0.985, 10), np.tile([0.955, 0.985], 5)])
    train = falling(0.1, 0.99, 20)
    given = {"val": val, "train": train, "n_val": 400}
    assert oscillation(evidence(healthy_trial(**given))) is None
    val = np.concatenate([falling(0.1, 0.985, 10), np.tile([0.85, 0.985], 5)])
    assert oscillation(evidence(healthy_trial(**{**given, "val": val}))) is not None
    heavy = healthy_trial(**{**given, "val": val}, params={"weight_decay": 0.5})
    assert oscillation(evidence(heavy)) is None


def test_less_than_half_a_point_does_not_pay_for_as_many_epochs_again():
    linear = np.linspace(1.0, 0.2, 21)
    given = {"train_loss": linear, "val_loss": linear, "n_val": 4_000}
    slow = healthy_trial(**given, val=np.linspace(0.88, 0.998, 21))
    finding = still_improving(evidence(slow))
    assert finding is not None
    assert finding.severity is Severity.INFO
    slow = healthy_trial(**given, val=np.linspace(0.3, 0.9, 21))
    finding = still_improving(evidence(slow))
    assert finding is not None
    assert finding.severity is Severity.WARNING


def still_trial(**fields):
    """Weights that hardly move, under batches that scatter by more than the first epoch."""
    losses = 1.0 + 0.1 * np.random.default_rng(3).normal(size=400)
    losses[:6] = 1.5
    given = {
        "losses": losses,
        "train_loss": np.linspace(1.04, 1.03, 21),
        "val_loss": np.linspace(1.04, 1.03, 21),
        "train": np.full(21, 0.1),
        "val": np.full(21, 0.1),
        "ratio": 1e-5,
    }
    return read_trial(**{**given, **fields})


def test_the_same_samples_before_and_after_tell_a_low_rate_from_scatter():
    finding = lr_too_low_on_curve(evidence(still_trial()))
    assert finding is not None
    assert "from 1.04 to 1.03" in finding.sentence
    moving = still_trial(train_loss=np.linspace(1.04, 0.5, 21))
    assert lr_too_low_on_curve(evidence(moving)) is None
    assert lr_too_low_on_curve(evidence(still_trial(ratio=1e-3))) is None


def test_dead_units_are_not_a_low_rate():
    level = {"losses": np.linspace(1.04, 1.03, 400)}
    assert lr_too_low_on_curve(evidence(still_trial(**level))) is not None
    assert lr_too_low_on_curve(evidence(still_trial(**level, dead_share=0.9))) is None


def leaping_trial(**params):
    """Its gradient leaps once, it does not fit, and single samples' losses scatter widely."""
    trial = still_trial(params=params)
    norms = np.ones(100)
    norms[50] = 50.0
    trial.curves[("gradient_norm", "train")] = Curve(
        tuple(range(0, 400, 4)), tuple(norms.tolist())
    )
    wide = [
        each.model_copy(update={"metrics": {**each.metrics, "loss": moments(1.0, 2.0, 1_000)}})
        for each in trial.outcome.evaluations
    ]
    return replace(trial, outcome=trial.outcome.model_copy(update={"evaluations": tuple(wide)}))


def test_gradients_of_single_samples_leap_by_nature():
    assert exploding_in_training(evidence(leaping_trial(batch_size=64))) is not None
    assert exploding_in_training(evidence(leaping_trial(batch_size=1))) is None
    assert update_ratio_low_on_curve(evidence(leaping_trial(batch_size=1))) is None


def test_a_higher_rate_must_get_clearly_further_to_show_a_low_one():
    def beside(**reached):
        peer = healthy_trial(1, params={"lr": 1.0}, **reached)
        slow = healthy_trial(train_loss=falling(2.3, 0.3, 20), val=falling(0.1, 0.95, 20))
        return lr_too_low_beside_peer(evidence(slow, peers=[peer]))

    assert beside(val=falling(0.1, 0.99, 20)) is not None
    # A thirtieth of the initial loss lower is little; so are two errors of this trial alone.
    assert beside(val=falling(0.1, 0.99, 20), train_loss=falling(2.3, 0.23, 20)) is None
    assert beside(val=falling(0.1, 0.966, 20)) is None


def test_next_to_nothing_falling_at_the_end_of_a_cosine_is_no_misfit():
    at = np.linspace(0.0, 1.0, 400)
    curve = Curve(tuple(range(400)), tuple((0.05 * (1 + np.cos(np.pi * at))).tolist()))

    def at_the_end(losses):
        trial = healthy_trial(losses=losses, params={"schedule": "cosine"})
        trial.curves[("lr", "train")] = curve
        return schedule_misfit(evidence(trial))

    assert at_the_end(np.geomspace(2.3, 1e-4, 400)) is None
    assert at_the_end(np.concatenate([np.full(370, 2.3), np.linspace(2.3, 1.0, 30)])) is not None
