"""Rules on the course of the loss and the rate: sick runs, and healthy ones that look alike."""

from dataclasses import replace

import numpy as np
import pytest

from recipes.curve import LEARNING_RATE, Curve
from recipes.finding import Severity
from recipes.readings import read
from recipes.trial import TrialCause, TrialState
from tests.recipes_tests.builders import description, inputs
from tests.recipes_tests.curve_builders import evidence, falling, healthy_trial, read_trial

NUM = 400


def noise(scale, num=NUM, *, seed=0):
    return scale * np.random.default_rng(seed).normal(size=num)


def found(trial, code, **fields):
    """The finding of that code, or None."""
    return next((each for each in read(evidence(trial, **fields)) if each.code == code), None)


def with_rates(trial, rates):
    """The trial with its learning rate sampled evenly over its iterations."""
    iterations = np.linspace(0, trial.outcome.iterations - 1, len(rates)).astype(int)
    curve = Curve(tuple(map(int, iterations)), tuple(map(float, rates)))
    return replace(trial, curves={**trial.curves, (LEARNING_RATE, "train"): curve})


# A loss that rises

SHARE = np.linspace(0, 1, NUM)
RISING = {
    "from the start": 2.3 + 1.2 * SHARE,
    "in the second half": np.where(SHARE < 0.4, 2.3 - 4 * SHARE, 0.7 + 2 * (SHARE - 0.4)),
    "after a warm-up": np.where(SHARE < 0.1, 2.3, 2.3 + 2 * (SHARE - 0.1)),
}
NOT_RISING = {
    "falls": falling(2.3, 0.05, NUM - 1, half_life=40),
    "stands still": np.full(NUM, 2.3),
    "rises by next to nothing at the end": 0.02 + 2.3 * np.exp(-20 * SHARE) + 0.02 * SHARE,
    "collapses and stays": np.where(SHARE < 0.3, 2.3 - 6 * SHARE, 2.3),
    "one hump": 2.3 * np.exp(-8 * SHARE) + 2.0 * np.exp(-0.5 * ((SHARE - 0.3) / 0.03) ** 2),
}


@pytest.mark.parametrize("course", RISING.values(), ids=RISING.keys())
def test_a_loss_that_rises_is_said_to(course):
    finding = found(healthy_trial(losses=course + noise(0.05)), "loss_rising")

    assert finding.severity is Severity.WARNING
    assert "The train loss rises over" in finding.sentence
    assert finding.evidence["p_rising"] < 0.01


@pytest.mark.parametrize("course", NOT_RISING.values(), ids=NOT_RISING.keys())
def test_a_loss_that_does_not_rise(course):
    assert found(healthy_trial(losses=course + noise(0.05)), "loss_rising") is None


def test_a_rise_that_was_meant_or_is_told_elsewhere_is_none():
    course = RISING["in the second half"] + noise(0.05)
    cycle = with_rates(healthy_trial(losses=course), 0.1 + 0.05 * np.sin(np.arange(40)))
    exploded = healthy_trial(losses=course, cause=TrialCause.DIVERGED)
    warming = RISING["after a warm-up"][: NUM // 4] + noise(0.02, NUM // 4)

    assert found(cycle, "loss_rising") is None
    assert found(exploded, "loss_rising") is None
    assert found(healthy_trial(losses=warming, params={"warmup": 0.9}), "loss_rising") is None


def test_a_warm_up_that_is_set_to_take_the_run():
    finding = found(healthy_trial(params={"warmup": 0.9}), "schedule_misfit")

    assert "set to 90 % of the run" in finding.sentence
    assert [(each.name, each.value) for each in finding.changes] == [("warmup", 0.05)]
    assert found(healthy_trial(params={"warmup": 0.1}), "schedule_misfit") is None


# A loss that repeats itself

PER_EPOCH = NUM // 20
PHASE = np.arange(NUM) % PER_EPOCH / PER_EPOCH
FALL = falling(2.3, 0.3, NUM - 1, half_life=60)
PERIODIC = {
    "sorted by class": FALL + 0.4 * np.sign(np.sin(2 * np.pi * PHASE)),
    "one hard part": FALL + 0.8 * (PHASE > 0.8),
    "a ramp": FALL + 0.6 * (PHASE - 0.5),
}
APERIODIC = {
    "noise": FALL,
    "a staircase of memory": 2.3 * 0.8 ** np.floor(np.arange(NUM) / PER_EPOCH),
    "swings of another length": FALL + 0.3 * np.sin(2 * np.pi * np.arange(NUM) / 37),
    "a small last batch": FALL + 1.5 * (np.arange(NUM) % PER_EPOCH == PER_EPOCH - 1),
    "a period too small to matter": FALL + 0.03 * np.sin(2 * np.pi * PHASE),
}


@pytest.mark.parametrize("course", PERIODIC.values(), ids=PERIODIC.keys())
def test_a_loss_that_repeats_each_epoch(course):
    finding = found(healthy_trial(losses=course + noise(0.1)), "periodic_loss")

    assert finding.severity is Severity.WARNING
    assert "repeats itself every epoch" in finding.sentence
    assert finding.causes[0].code == "not_shuffled"


def test_epochs_agree_on_what_single_points_hardly_show():
    """An autocorrelation of a quarter: the places' means over twenty epochs are sure of it."""
    finding = found(healthy_trial(losses=FALL + 0.4 * (PHASE - 0.5) + noise(0.2)), "periodic_loss")

    assert finding.evidence["share_of_place"] < 0.3
    assert finding.evidence["p"] < 1e-6


@pytest.mark.parametrize("course", APERIODIC.values(), ids=APERIODIC.keys())
def test_a_loss_that_does_not_repeat(course):
    assert found(healthy_trial(losses=course + noise(0.05)), "periodic_loss") is None


def test_a_cyclic_rate_explains_a_period():
    course = PERIODIC["a ramp"] + noise(0.05)
    cycle = np.tile([0.1, 0.05, 0.02, 0.01], 20)

    assert found(with_rates(healthy_trial(losses=course), cycle), "periodic_loss") is None


def test_two_epochs_are_no_period():
    course = PERIODIC["a ramp"]
    assert found(healthy_trial(losses=course, epochs=2), "periodic_loss") is None


# A schedule that does not fit

AT = np.linspace(0, 1, 40)


def unfitted(**fields):
    """80 % of its own training samples at the end."""
    given = {
        "train": falling(0.1, 0.8, 20),
        "val": falling(0.1, 0.8, 20),
        "train_loss": falling(2.3, 0.6, 20),
        "val_loss": falling(2.3, 0.65, 20),
        "losses": falling(2.3, 0.6, NUM - 1, half_life=20) + noise(0.02),
        "params": {"schedule": "step"},
        "ratio": 1e-3,
    }
    return read_trial(**{**given, **fields})


@pytest.mark.parametrize(
    ("rates", "trial", "words"),
    [
        (np.where(AT < 0.4, 0.1, 1e-5), unfitted(), "last 59 % of the run"),
        (0.1 * np.exp(-15 * AT), unfitted(), "spent too early"),
        (
            np.where(AT < 0.7, 0.1, 5e-4),
            healthy_trial(losses=2.3 - 2 * SHARE, params={"schedule": "step"}),
            "the train loss still falls",
        ),
        (np.full(40, 0.1), unfitted(), "The schedule has no effect: the run names step"),
    ],
)
def test_a_schedule_that_does_not_fit(rates, trial, words):
    finding = found(with_rates(trial, rates), "schedule_misfit")

    assert finding.severity is Severity.WARNING
    assert words in finding.sentence


def test_a_cut_that_came_late_is_a_hint():
    course = np.where(SHARE < 0.1, 2.3 - 13 * SHARE, np.where(SHARE < 0.7, 1.0, 0.4))
    trial = healthy_trial(losses=course + noise(0.01), params={"schedule": "step"})
    finding = found(with_rates(trial, np.where(AT < 0.7, 0.1, 0.01)), "schedule_misfit")

    assert finding.severity is Severity.INFO
    assert "cut late" in finding.sentence


COSINE = 0.05 * (1 + np.cos(np.pi * AT))


@pytest.mark.parametrize(
    ("rates", "trial"),
    [
        (COSINE, healthy_trial(params={"schedule": "cosine"})),
        (COSINE, unfitted(params={"schedule": "cosine"})),  # the rate is not to blame
        (np.where(AT < 0.5, 0.1, 0.01), unfitted()),  # cut, and not to nothing
        (np.full(40, 0.1), unfitted(params={"schedule": "constant"})),
        (np.full(9, 0.1), unfitted()),  # too few to say
        (
            np.full(40, 0.1),
            unfitted(state=TrialState.PRUNED, cause=TrialCause.EARLY_DISCARD),  # before its cut
        ),
    ],
)
def test_a_schedule_that_fits_or_cannot_be_judged(rates, trial):
    assert found(with_rates(trial, rates), "schedule_misfit") is None


# Memorised long ago


def memorised(*, epochs=60, val=0.3, decay=1e-2, **fields):
    return read_trial(
        train_loss=falling(2.3, 1e-3, epochs),
        val_loss=falling(2.3, 2.5, epochs),
        train=falling(0.1, 1.0, epochs),
        val=falling(0.1, val, epochs),
        params={"weight_decay": decay},
        **fields,
    )


TOKENS = description(inputs=inputs(dtype="int64"))


@pytest.mark.parametrize(
    ("trial", "task"),
    [(memorised(), None), (memorised(epochs=25), TOKENS), (memorised(val=0.75), None)],
)
def test_a_run_that_may_yet_generalise_is_noted(trial, task):
    finding = found(trial, "grokking_caution", task=task)

    assert finding.severity is Severity.INFO
    assert finding.causes[0].code == "overfitting"


@pytest.mark.parametrize(
    "trial",
    [
        memorised(epochs=30),
        memorised(decay=0.0),
        memorised(val=0.95),
        healthy_trial(epochs=60),
    ],
)
def test_other_long_runs_are_not(trial):
    assert found(trial, "grokking_caution") is None
