"""Each rule on curves: a clear case, one just short of it, and too little to say."""

import math
from dataclasses import replace

import numpy as np
import pytest

from recipes.confidence import confidence, raw_scores
from recipes.description import OverlapDescription, SplitDescription
from recipes.evidence.lr_drop import lr_drop
from recipes.evidence.trial_series import trial_series
from recipes.finding import Severity
from recipes.metric import Metric
from recipes.readings import read
from recipes.rules.flat_then_drop import flat_then_drop
from recipes.trial import TrialCause, TrialState
from tests.recipes_tests.builders import description, moments, regression
from tests.recipes_tests.curve_builders import evidence, falling, healthy_trial, read_trial

LN10 = math.log(10)
RNG = np.random.default_rng(0)


def found(trial, code, **fields):
    """The finding of that code, or None."""
    reading = read(evidence(trial, **fields))
    return next((each for each in reading if each.code == code), None)


def codes(trial, **fields):
    return [each.code for each in read(evidence(trial, **fields))]


def test_a_score_becomes_the_share_that_is_right():
    curves = {"a": ((0.6, 0.8), (0.9, 0.9))}
    told = [confidence("a", score, curves) for score in (0.0, 0.3, 0.6, 0.75, 1.0)]

    assert told == pytest.approx([0.0, 0.4, 0.8, 0.85, 0.9])
    assert confidence("b", 0.3, curves) == 0.3


def test_raw_scores_are_told_only_where_they_are_asked_for():
    with raw_scores():
        raw = found(turned(0.4), "overtraining").confidence
    assert found(turned(0.4), "overtraining").confidence == confidence("overtraining", raw)


def test_a_good_run_is_healthy_and_says_who_looked():
    trial = healthy_trial()
    (finding,) = read(evidence(trial))

    assert finding.code == "healthy"
    assert finding.severity is Severity.INFO
    assert "96.9 % ± 0.55 on validation" in finding.sentence
    assert "overfitting, overtraining, underfitting" in finding.sentence
    assert finding.evidence["num_rules"] == 15


def test_rules_that_cannot_speak_are_not_named_by_healthy():
    decayed = found(healthy_trial(params={"schedule": "cosine"}), "healthy")
    without_curves = found(healthy_trial(losses=(), ratio=None), "healthy")

    assert "still_improving" not in decayed.evidence["rules"]
    assert "lr_too_high" not in decayed.evidence["rules"]
    assert "loss_spikes" not in without_curves.evidence["rules"]


@pytest.mark.parametrize("epochs", [1, 3, 7])
def test_a_short_run_is_never_healthy(epochs):
    reading = read(evidence(healthy_trial(epochs=epochs, losses=())))

    assert "healthy" not in [each.code for each in reading]
    (note,) = [each for each in reading if each.code == "inconclusive"]
    assert f"overtraining and oscillation need 10 epochs (it has {epochs})" in note.sentence
    assert "for 10 epochs or more" in note.action


def test_a_run_that_was_cut_off_is_never_healthy():
    trial = healthy_trial(state=TrialState.PRUNED, cause=TrialCause.EARLY_DISCARD)

    assert codes(trial) == ["inconclusive"]


# Fit


def gapped(gap, *, epochs=20, n_val=1_000, **fields):
    """97 % on training samples, ``gap`` less on validation."""
    return healthy_trial(
        epochs=epochs,
        train=falling(0.1, 0.97, epochs),
        val=falling(0.1, 0.97 - gap, epochs),
        n_val=n_val,
        **fields,
    )


def test_a_large_gap_is_overfitting():
    finding = found(gapped(0.12), "overfitting")

    assert finding.severity is Severity.WARNING
    assert finding.confidence > 0.9
    assert "a gap of 12 points" in finding.sentence
    assert "weight decay 3e-4 to 1e-3 instead of 1e-4" in finding.action
    assert finding.evidence["threshold"] == 0.10


@pytest.mark.parametrize(("gap", "is_found"), [(0.06, True), (0.045, False)])
def test_a_gap_counts_from_five_points(gap, is_found):
    assert (found(gapped(gap), "overfitting") is not None) is is_found


def test_a_gap_that_few_samples_explain_is_none():
    assert found(gapped(0.08, n_val=40), "overfitting") is None


def test_a_gap_of_a_short_run_is_a_hint():
    finding = found(gapped(0.2, epochs=6), "overfitting")

    assert finding.severity is Severity.INFO
    assert "a hint only" in finding.sentence


def test_a_gap_while_validation_improves_is_a_hint():
    trial = read_trial(
        train_loss=falling(2.3, 0.1, 20),
        val_loss=2.3 - 0.06 * np.arange(21),
        train=falling(0.1, 0.95, 20),
        val=0.1 + 0.035 * np.arange(21),
    )
    finding = found(trial, "overfitting")

    assert finding.severity is Severity.INFO
    assert "no fault yet" in finding.sentence


def test_heavy_weight_decay_is_not_raised_further():
    assert (
        "heavy already" in found(gapped(0.2, params={"weight_decay": 0.1}), "overfitting").action
    )
    assert (
        "from 1e-4 upwards"
        in found(gapped(0.2, params={"weight_decay": 0.0}), "overfitting").action
    )


def test_the_gap_of_a_regression_is_in_its_own_metric():
    trial = healthy_trial(
        metric="r2", train=falling(-0.1, 0.95, 20), val=falling(-0.1, 0.6, 20), n_val=500
    )
    finding = found(trial, "overfitting", task=regression())

    assert "R² after 20 epochs is 0.949 on training samples" in finding.sentence
    assert "a gap of 0.35" in finding.sentence


def turned(rise, *, at=8, epochs=20, **fields):
    """Validation loss falls to 0.5 at an epoch, then rises by a share of itself."""
    down = np.linspace(2.3, 0.5, at + 1)
    up = np.linspace(0.5, 0.5 * (1 + rise), epochs - at + 1)[1:]
    given = {
        "train_loss": falling(2.3, 0.01, epochs),
        "val_loss": np.concatenate((down, up)),
        "val": np.concatenate((np.linspace(0.1, 0.85, at + 1), np.full(epochs - at, 0.84))),
    }
    return healthy_trial(epochs=epochs, **{**given, **fields})


def test_a_validation_loss_that_turns_is_overtraining():
    with raw_scores():
        finding = found(turned(0.4), "overtraining")

    assert finding.severity is Severity.WARNING
    assert finding.confidence >= 0.9
    assert "turned at epoch 8" in finding.sentence
    assert "only memorise" in finding.sentence
    assert "Keep epoch 8's weights" in finding.action


@pytest.mark.parametrize(("rise", "is_found"), [(0.06, True), (0.02, False)])
def test_a_turn_counts_from_three_per_cent(rise, is_found):
    assert (found(turned(rise), "overtraining") is not None) is is_found


def test_a_turn_must_have_lasted():
    assert found(turned(0.4, at=17), "overtraining") is None


def test_a_turn_with_a_rising_train_loss_is_something_else():
    assert found(turned(0.4, train_loss=np.linspace(0.1, 2, 21)), "overtraining") is None


def test_a_turn_of_a_tiny_loss_is_no_harm():
    trial = turned(0.4)
    tiny = turned(0.4, val_loss=np.concatenate(([2.3], np.linspace(0.002, 0.004, 20))))

    assert found(trial, "overtraining") is not None
    assert found(tiny, "overtraining") is None


def test_confidence_and_errors_are_told_apart():
    val = np.concatenate((np.linspace(0.1, 0.8, 9), np.linspace(0.81, 0.85, 12)))
    finding = found(turned(0.4, val=val), "overtraining")

    assert finding.severity is Severity.INFO
    assert finding.evidence["only_confidence"]
    assert "too sure of itself" in finding.sentence
    assert "abel smoothing" in finding.action


def test_a_turn_of_a_short_run_is_a_hint():
    finding = found(turned(0.4, at=3, epochs=7), "overtraining")

    assert finding.severity is Severity.INFO
    assert "a hint only" in finding.sentence


def poor(**fields):
    """60 % on both splits, settled."""
    given = {
        "train_loss": falling(2.3, 1.2, 20),
        "val_loss": falling(2.3, 1.22, 20),
        "train": falling(0.1, 0.60, 20),
        "val": falling(0.1, 0.59, 20),
    }
    return healthy_trial(**{**given, **fields})


def test_a_poor_fit_without_gap_is_underfitting():
    finding = found(poor(), "underfitting", memorises=True)

    assert finding.severity is Severity.WARNING
    assert "59.9 % on its own training samples" in finding.sentence
    assert "step 2 could memorise" in finding.sentence
    assert [cause.code for cause in finding.causes] == ["too_small", "lr_plateau", "noise_ceiling"]


def test_a_poor_fit_whose_validation_loss_turned_may_be_label_noise():
    losses = np.concatenate((falling(2.3, 1.22, 8), np.linspace(1.22, 1.5, 13)[1:]))
    scores = np.concatenate((falling(0.1, 0.59, 4), np.linspace(0.59, 0.57, 17)[1:]))
    trial = poor(val_loss=losses, val=scores)
    with raw_scores():
        assert "only memorise" in found(trial, "overtraining").sentence
        finding = found(trial, "underfitting")

    assert finding.causes[0].code == "noise_ceiling"
    assert "wrong labels" in finding.causes[0].sentence
    assert "Read the training samples" in finding.action
    assert finding.changes == ()


def test_heavy_regularisation_is_the_first_suspect():
    trial = poor(params={"weight_decay": 0.1, "dropout": 0.6})
    finding = found(trial, "underfitting")

    assert finding.causes[0].code == "over_regularised"
    assert "weight decay 0.1 and dropout 0.6" in finding.causes[0].sentence
    assert finding.action.startswith("Cut the regularisation")


def test_a_fit_of_95_per_cent_is_no_underfitting():
    above = poor(train=falling(0.1, 0.96, 20), val=falling(0.1, 0.95, 20))

    assert found(above, "underfitting") is None


def test_a_peer_that_fits_better_but_validates_no_better_clears_it():
    memoriser = healthy_trial(1, train=falling(0.1, 0.99, 20), val=falling(0.1, 0.58, 20))
    better = healthy_trial(2, train=falling(0.1, 0.99, 20), val=falling(0.1, 0.9, 20))

    assert found(poor(), "underfitting", peers=[memoriser]) is None
    finding = found(poor(), "underfitting", peers=[better])
    assert finding.causes[0].code == "better_setting"
    assert "trial 2" in finding.causes[0].sentence


def test_underfitting_of_a_loss_alone():
    task = description(kind="custom", num_classes=None, metric="loss", direction="minimize")
    trial = poor(train=(), val=())

    assert "loss is" in found(trial, "underfitting", task=task).sentence


def improving(per_epoch, *, epochs=20, **fields):
    """Validation loss and accuracy go on in a line to the end."""
    steps = np.arange(epochs + 1)
    given = {
        "train_loss": 2.3 - per_epoch * steps,
        "val_loss": 2.31 - per_epoch * steps,
        "train": 0.1 + 0.35 * per_epoch * steps,
        "val": 0.1 + 0.34 * per_epoch * steps,
        "losses": (),
    }
    return healthy_trial(epochs=epochs, **{**given, **fields})


def test_a_loss_that_still_falls_wants_more_epochs():
    finding = found(improving(0.08), "still_improving")

    assert finding.severity is Severity.WARNING
    assert "falls by 0.08 an epoch" in finding.sentence
    assert "trained too short" in finding.sentence
    assert finding.action.startswith("Train 40 epochs")


@pytest.mark.parametrize(("per_epoch", "is_found"), [(0.01, True), (0.001, False)])
def test_improvement_counts_beyond_error_and_one_per_cent(per_epoch, is_found):
    assert (found(improving(per_epoch), "still_improving") is not None) is is_found


def test_a_loss_that_falls_without_the_metric_is_a_note():
    trial = improving(0.03, val=np.full(21, 0.9), train=np.full(21, 0.92))
    finding = found(trial, "still_improving")

    assert finding.severity is Severity.INFO
    assert "hardly follows" in finding.sentence


def test_a_decayed_rate_says_nothing_of_a_longer_run():
    assert found(improving(0.08, params={"schedule": "cosine"}), "still_improving") is None


def test_coming_back_to_where_it_was_is_no_improvement():
    loss = np.concatenate((np.linspace(2.3, 0.5, 11), [1.5], np.linspace(1.4, 0.55, 9)))

    assert found(improving(0.08, val_loss=loss), "still_improving") is None


def test_validation_above_training_is_found_and_graded():
    sure, hint, none = (
        healthy_trial(train=falling(0.1, 0.9, 20), val=falling(0.1, end, 20))
        for end in (0.96, 0.93, 0.915)
    )
    shared = description(overlap=OverlapDescription(train_val=40))

    assert found(sure, "val_better_than_train").severity is Severity.WARNING
    assert found(hint, "val_better_than_train").severity is Severity.INFO
    assert found(none, "val_better_than_train") is None
    first = found(sure, "val_better_than_train", task=shared).causes[0]
    assert first.code == "train_val_overlap"


# Learning


def test_worse_than_guessing_is_an_error():
    below = healthy_trial(val=falling(0.1, 0.02, 20))
    finding = found(below, "val_below_chance")

    assert finding.severity is Severity.ERROR
    assert "below the 10 % of guessing" in finding.sentence
    assert codes(below) == ["val_below_chance"]  # the gap is its consequence
    assert found(healthy_trial(val=np.full(21, 0.09)), "val_below_chance") is None


def test_one_class_for_every_sample():
    constant = np.full(21, 0.1)
    trial = healthy_trial(
        train=constant,
        val=constant,
        train_loss=np.full(21, LN10),
        val_loss=np.full(21, LN10),
        losses=np.full(400, LN10) + 0.3 * RNG.normal(size=400),
        dead_share=0.9,
    )
    finding = found(trial, "constant_prediction")

    assert "one class for every sample" in finding.sentence
    assert "90 % of a layer's are dead" in finding.causes[0].sentence
    nearly = np.where(np.arange(21) == 20, 0.102, 0.1)
    assert found(replace_val(trial, nearly), "constant_prediction") is None


def replace_val(trial, values):
    """The same trial with other validation accuracies."""
    other = healthy_trial(
        train=np.full(21, 0.1),
        val=values,
        train_loss=np.full(21, LN10),
        val_loss=np.full(21, LN10),
        losses=trial.curve("loss").values,
    )
    return replace(other, number=trial.number)


# Learning rate


def slow(ratio=1e-5, fall=0.03):
    """Falls in a line by ``fall`` nats over all."""
    losses = 2.3 - fall * np.linspace(0, 1, 400) + 0.002 * RNG.normal(size=400)
    course = np.linspace(2.3, 2.3 - fall, 13)
    return healthy_trial(
        epochs=12,
        losses=losses,
        ratio=ratio,
        train_loss=course,
        val_loss=course,
        train=np.full(13, 0.12),
        val=np.full(13, 0.12),
        params={"lr": 1e-4},
    )


def test_a_straight_slow_fall_is_a_low_rate():
    finding = found(slow(), "lr_too_low")

    assert "1e-4 is too low" in finding.sentence
    assert "in a straight line" in finding.sentence
    assert "Raise the learning rate to 1e-3" in finding.action
    assert codes(slow())[0] == "lr_too_low"
    assert "underfitting" not in codes(slow())
    assert "still_improving" not in codes(slow())


def test_weights_that_move_clear_the_rate():
    assert found(slow(ratio=2e-4), "lr_too_low") is None
    assert found(healthy_trial(ratio=1e-5), "lr_too_low") is None


def test_a_rate_beyond_the_task_s_range_is_said_to_be():
    trial = replace(slow(), params={"lr": 0.9})

    assert "range ends at 1, widen it" in found(trial, "lr_too_low").action


def stuck(**fields):
    """Fast, then level at 0.8."""
    given = {
        "losses": falling(2.3, 0.8, 399, half_life=15) + 0.02 * RNG.normal(size=400),
        "train_loss": falling(2.3, 0.8, 20, half_life=0.7),
        "val_loss": falling(2.3, 0.82, 20, half_life=0.7),
        "train": falling(0.1, 0.75, 20, half_life=0.7),
        "val": falling(0.1, 0.74, 20, half_life=0.7),
    }
    return healthy_trial(**{**given, **fields})


OTHER_AND_LOWER = {"lr": 1e-2, "weight_decay": 0.0}
"""A peer that differs in more than its rate, and so only raises a suspicion."""


def test_stuck_above_a_peer_with_a_lower_rate_is_suspected():
    lower = healthy_trial(1, params=OTHER_AND_LOWER)
    finding = found(stuck(), "lr_too_high", peers=[lower])

    assert finding.severity is Severity.WARNING
    assert "where trial 1 reached 0.02" in finding.sentence
    assert "underfitting" not in codes(stuck(), peers=[lower])


def test_a_peer_with_a_higher_rate_proves_nothing():
    higher = healthy_trial(1, params={"lr": 0.3})

    assert found(stuck(), "lr_too_high", peers=[higher]) is None
    assert found(stuck(), "lr_too_high") is None


def test_a_tenth_of_next_to_nothing_is_not_stuck():
    lower = healthy_trial(1, params={"lr": 1e-2}, train_loss=falling(2.3, 0.01, 20))

    assert found(healthy_trial(), "lr_too_high", peers=[lower]) is None


def test_a_loss_that_never_fell_beside_one_that_did():
    lower = healthy_trial(1, params=OTHER_AND_LOWER)
    rising = stuck(losses=np.linspace(2.3, 2.5, 400), train_loss=np.linspace(2.3, 2.5, 21))

    assert "never fell" in found(rising, "lr_too_high", peers=[lower]).sentence


def probed(trial, train_after, *, val_after=0.7, val_metric=0.78):
    """What two epochs at a tenth of the rate did."""
    probe = read_trial(
        9,
        train_loss=(0.8, train_after, train_after),
        val_loss=(0.82, val_after, val_after),
        train=(0.75, 0.8, 0.8),
        val=(0.74, val_metric, val_metric),
        params={"lr": 1e-2},
    )
    metric = Metric(name="accuracy", maximise=True)
    return lr_drop(trial_series(probe), trial_series(trial), noise=0.01, metric=metric)


def test_the_probe_confirms_the_rate():
    trial = stuck()
    with raw_scores():
        finding = found(trial, "lr_too_high", lr_drop=probed(trial, 0.6))

    assert finding.confidence == 0.9
    assert "confirmed by a probe: 2 epochs from the best weights at 1e-2" in finding.sentence
    assert "validation accuracy 74 % to 78 % ± 1.3" in finding.sentence
    assert "schedule=cosine" in finding.action


@pytest.mark.parametrize(
    "ruined",
    [{"dead_share": 0.6}, {"train_loss": np.full(21, 1.9)}],
    ids=["units are dead", "next to nothing is learned"],
)
def test_a_rate_that_ruins_from_the_start_is_divided_not_decayed(ruined):
    usual = found(stuck(), "lr_too_high", lr_drop=probed(stuck(), 0.6))
    trial = stuck(**ruined)
    drop = probed(stuck(), 0.6).model_copy(update={"lr": 1e-2})
    finding = found(trial, "lr_too_high", lr_drop=drop)

    assert [cause.code for cause in usual.causes] == ["no_decay", "lr_high"]
    assert [cause.code for cause in finding.causes] == ["lr_high", "no_decay"]
    assert "Start at 1e-2" in finding.action
    assert [(each.name, each.factor) for each in finding.changes] == [("lr", 0.1)]


def test_the_probe_refutes_the_rate():
    trial, lower = stuck(), healthy_trial(1, params=OTHER_AND_LOWER, val=falling(0.1, 0.9, 20))
    drop = probed(trial, 0.795)

    assert found(trial, "lr_too_high", peers=[lower], lr_drop=drop) is None
    finding = found(trial, "underfitting", lr_drop=drop)
    assert finding.evidence["probe"] == "refuted"
    assert finding.causes[0].code == "too_small"
    assert "did not help" in finding.causes[0].sentence


def test_a_probe_that_only_memorises_does_not_confirm():
    trial = stuck()

    assert not probed(trial, 0.6, val_after=0.9).confirms
    assert probed(trial, 0.6).confirms


def test_noise_of_the_rate_s_own_making_does_not_hide_it():
    trial = stuck(train_loss=np.concatenate(([2.3], np.tile([0.9, 0.8], 10))))
    drop = probed(trial, 0.6).model_copy(update={"noise": 0.2})

    assert drop.threshold == pytest.approx(0.08)
    assert drop.confirms


# Noise


def swinging(sd, *, n_val=1_000):
    val = falling(0.1, 0.9, 20)
    val[8:] += sd * np.random.default_rng(3).normal(size=13)
    return healthy_trial(val=np.clip(val, 0, 1), n_val=n_val, train=falling(0.1, 0.93, 20))


def test_swings_beyond_the_samples_are_the_optimisation_s():
    finding = found(swinging(0.06), "oscillation")

    assert "times the 1 point that 1,000 samples explain" in finding.sentence
    assert found(swinging(0.06, n_val=60), "oscillation") is None
    assert found(swinging(0.008), "oscillation") is None


def spiked(num_spikes, *, width=3, height=2.0):
    losses = np.full(1_000, 0.5) + 0.02 * RNG.normal(size=1_000)
    losses[:20] = 2.3
    for at in np.linspace(150, 950, num_spikes).astype(int):
        losses[at : at + width] += height
    return healthy_trial(losses=losses)


def test_spikes_that_come_back():
    frequent, single = found(spiked(60), "loss_spikes"), found(spiked(1), "loss_spikes")

    assert frequent.severity is Severity.WARNING
    assert frequent.evidence["num_spikes"] == 60
    assert single.severity is Severity.INFO
    assert "1 time and came back" in single.sentence


def test_batches_as_bad_as_untrained_are_of_other_data():
    finding = found(spiked(60, width=1), "loss_spikes")

    assert finding.causes[0].code == "rare_batches"
    assert "no better than the untrained model's 2.3" in finding.sentence
    assert found(spiked(60, width=1, height=1.0), "loss_spikes") is None  # better than that
    assert found(spiked(10, width=1), "loss_spikes") is None  # one in a hundred: accidents


def test_a_hard_batch_is_no_spike():
    assert found(spiked(3, width=1), "loss_spikes") is None
    assert found(spiked(3, height=0.3), "loss_spikes") is None


@pytest.mark.parametrize(("sd", "is_found"), [(0.4, True), (0.2, False)])
def test_scatter_from_batch_to_batch(sd, is_found):
    losses = np.concatenate((np.full(3, 2.3), 1 + sd * RNG.normal(size=600)))

    assert (found(healthy_trial(losses=losses), "noisy_loss") is not None) is is_found


def of_batches(size, *, sd=0.5, **fields):
    """Single samples' losses scatter by that sd."""
    trial = healthy_trial(params={"lr": 0.1, "batch_size": size}, **fields)
    evaluations = tuple(
        each.model_copy(update={"metrics": {**each.metrics, "loss": scattered(each, sd)}})
        for each in trial.outcome.evaluations
    )
    return replace(trial, outcome=trial.outcome.model_copy(update={"evaluations": evaluations}))


def scattered(evaluation, sd):
    loss = evaluation.loss
    return moments(loss.mean, sd, loss.n)


@pytest.mark.parametrize(("size", "is_found"), [(1, True), (4, True), (5, False), (64, False)])
def test_batches_that_say_little_of_the_whole(size, is_found):
    finding = found(of_batches(size), "noisy_loss")

    assert (finding is not None) is is_found
    if finding is not None:
        assert finding.severity is Severity.WARNING
        assert finding.causes[0].code == "small_batch"


def test_small_batches_of_like_samples_are_fine():
    assert found(of_batches(1, sd=0.01, train_loss=falling(2.3, 0.4, 20)), "noisy_loss") is None


def flipped(share, *, classes=10, sharpness=1.0, **fields):
    """Labels of which a share is wrong, at the loss of even doubt (times ``sharpness``)."""
    doubt = -share * math.log(share) - (1 - share) * math.log(1 - share)
    level = sharpness * (doubt + share * math.log(classes - 1))
    course = falling(LN10, level, 20, half_life=1)
    right = falling(0.1, 1 - share, 20, half_life=1)
    given = {"train_loss": course, "val_loss": course, "train": right, "val": right}
    return healthy_trial(**{**given, **fields})


def test_doubt_that_is_even_is_that_of_flipped_labels():
    finding = found(flipped(0.3), "noisy_labels")

    assert finding.severity is Severity.WARNING
    assert "30 % of the training samples are wrong" in finding.sentence
    assert finding.causes[0].code == "noisy_train_labels"


@pytest.mark.parametrize(
    "fine",
    [
        flipped(0.3, sharpness=0.8),  # the doubt is where the errors are
        flipped(0.05),  # too few of them
        flipped(0.85),  # little more than chance is known
        flipped(0.3, params={"lr": 0.1, "weight_decay": 0.5}),
        flipped(0.3, n_val=30),
    ],
)
def test_errors_that_have_other_reasons(fine):
    assert found(fine, "noisy_labels") is None


def floored(flat, *, level=LN10, **fields):
    """Level for a number of 400 iterations, then down."""
    losses = np.concatenate((np.full(flat, level), falling(level, 0.1, 399 - flat, half_life=30)))
    return healthy_trial(losses=losses + 0.005 * RNG.normal(size=400), **fields)


def test_flat_at_chance_then_a_drop():
    long, short = found(floored(160), "flat_then_drop"), found(floored(40), "flat_then_drop")

    assert long.severity is Severity.WARNING
    assert long.evidence["flat_iterations"] == pytest.approx(160, abs=12)
    assert "stood still at 2.3 for the first" in long.sentence
    assert short.severity is Severity.INFO


def test_a_floor_that_a_bad_initial_loss_comes_down_to_is_not_called_the_first():
    down, later = np.linspace(6.0, LN10, 20), falling(LN10, 0.1, 219, half_life=30)
    noise = 0.005 * np.random.default_rng(1).normal(size=400)
    losses = np.concatenate((down, np.full(160, LN10), later)) + noise

    finding = flat_then_drop(evidence(healthy_trial(losses=losses)))

    assert finding is not None
    before = finding.evidence["iterations_before"]
    assert before == pytest.approx(18, abs=6)
    assert f"iterations after the first {before} (" in finding.sentence


@pytest.mark.parametrize(
    "trial",
    [
        floored(8),
        floored(160, level=1.2),  # not at chance
        floored(60, params={"warmup": 0.2}),
        floored(60, params={"warmup": 100}),
        healthy_trial(losses=np.linspace(2.3, 0.1, 400)),
        healthy_trial(losses=np.full(400, LN10)),
    ],
    ids=["short", "elsewhere", "warm-up share", "warm-up iterations", "line", "no drop"],
)
def test_what_is_no_floor(trial):
    assert found(trial, "flat_then_drop") is None


# Ends


def test_why_a_trial_exploded():
    rising = [2.3, 2.4, 3.0, 4.0, 7.0]
    diverged = found(read_trial(losses=rising, cause=TrialCause.DIVERGED), "diverged")
    grew = found(
        read_trial(losses=[*rising, 30.0, math.inf], cause=TrialCause.NON_FINITE),
        "non_finite_loss",
    )
    sudden = found(
        read_trial(losses=[2.3, 2.2, 2.1, math.nan], cause=TrialCause.NON_FINITE),
        "non_finite_loss",
    )

    assert "from 2.3 to 7 within 5 iterations" in diverged.sentence
    assert grew.causes[0].code == "lr_high"
    assert sudden.causes[0].code == "bad_batch"


# Too little


@pytest.mark.parametrize("epochs", [0, 1, 2])
def test_next_to_nothing_is_inconclusive(epochs):
    trial = healthy_trial(epochs=epochs, losses=(2.3,) * (1 + epochs), ratio=None)

    assert codes(trial) == ["inconclusive"]
    assert codes(read_trial()) == ["inconclusive"]


def test_values_that_are_not_finite_end_a_series():
    loss = np.concatenate((falling(2.3, 0.1, 6), [math.nan, 5.0, math.inf]))
    read_evidence = evidence(healthy_trial(val_loss=loss))

    assert len(read_evidence.val_loss) == 6
    assert {"healthy", "inconclusive"}.isdisjoint(each.code for each in read(read_evidence))


def test_a_split_of_unknown_size_gives_hints_only():
    trial = gapped(0.2)
    alone = read_trial(
        train_loss=falling(2.3, 0.02, 20),
        val_loss=falling(2.3, 0.1, 20),
        train=falling(0.1, 0.97, 20),
        val=falling(0.1, 0.77, 20),
        n_val=1,
    )

    assert found(trial, "overfitting").severity is Severity.WARNING
    assert found(alone, "overfitting") is None


def test_every_finding_can_be_stored_and_names_its_source():
    trials = [gapped(0.2), turned(0.4), poor(), improving(0.08), slow(), stuck(), swinging(0.04)]
    lower = healthy_trial(9, params={"lr": 1e-3})
    reading = [each for trial in trials for each in read(evidence(trial, peers=[lower]))]

    assert len({each.code for each in reading}) >= 6
    for each in reading:
        assert each.model_validate_json(each.model_dump_json()) == each
        assert each.source
        assert each.action.endswith(".")
        assert each.sentence.endswith(".")


def test_a_split_of_the_task_s_own_is_told_from_a_made_one():
    own = description(
        splits=(
            SplitDescription(name="train", num_samples=100, origin="task"),
            SplitDescription(name="val", num_samples=60, origin="task"),
        )
    )

    assert "100 training samples" in found(gapped(0.2), "overfitting", task=own).causes[0].sentence


# What a log written by hand showed


def overconfident(scores):
    """Twelve epochs whose validation loss turns at the fourth while the train loss falls."""
    train = [2.3, 1.1, 0.9, 0.71, 0.55, 0.42, 0.31, 0.22, 0.15, 0.09, 0.05, 0.03, 0.02]
    val = [2.3, 1.05, 0.88, 0.79, 0.75, 0.78, 0.85, 0.95, 1.08, 1.22, 1.4, 1.55, 1.7]
    return read_trial(train_loss=train, val_loss=val, train=[0.1, *scores], val=[0.1, *scores])


@pytest.mark.parametrize(
    ("end", "severity"), [(0.63, Severity.WARNING), (0.72, Severity.INFO)], ids=["falls", "rises"]
)
def test_accuracy_that_fell_from_its_best_does_not_still_improve(end, severity):
    scores = [0.41, 0.555, 0.63, 0.675, *np.linspace(0.67, end, 8)]
    finding = found(overconfident(scores), "overtraining")

    assert finding.severity is severity
    assert ("still improved" in finding.sentence) is (severity is Severity.INFO)


def test_a_loss_at_chance_from_first_to_last_is_stuck_and_no_small_model():
    scatter = 1e-4 * RNG.standard_normal(21)
    trial = read_trial(
        train_loss=LN10 + scatter, val_loss=[LN10] * 21, train=[0.1] * 21, val=[0.1] * 21
    )
    reading = read(evidence(trial))

    assert "stuck_at_chance" in [each.code for each in reading]
    assert "underfitting" not in [each.code for each in reading]
    assert "stuck_at_chance" not in codes(trial, memorises=True)  # step 2 looked


@pytest.mark.parametrize("start", [LN10, 1.03 * LN10])
def test_a_loss_that_leaves_chance_however_late_is_not_stuck(start):
    losses = np.append(np.full(20, start), 0.95 * LN10)
    trial = read_trial(train_loss=losses, val_loss=losses, train=[0.1] * 21, val=[0.1] * 21)

    assert "stuck_at_chance" not in codes(trial)


def test_a_long_run_that_lacks_numbers_is_not_told_to_be_longer():
    trial = read_trial(
        train_loss=falling(2.3, 0.02, 20),
        val_loss=falling(2.3, 0.1, 20),
        val=falling(0.1, 0.97, 20),
    )
    note = found(trial, "inconclusive")

    assert note.causes[0].code == "not_measured"
    assert "accuracy on training samples in eval mode" in note.action
    assert "or more" not in note.action
