"""Rules on a model's internals: sick runs, and healthy ones that look alike."""

import math
from dataclasses import replace

import numpy as np
import pytest

from recipes.curve import FIRST_GRADIENT, LAST_GRADIENT, STALE_GRADIENT, Curve
from recipes.finding import Severity
from recipes.outcome import ModeLosses
from recipes.readings import read
from recipes.trial import TrialCause
from tests.recipes_tests.builders import description
from tests.recipes_tests.curve_builders import evidence, falling, healthy_trial, read_trial

RNG = np.random.default_rng(1)
EVERY = 50


def found(trial, code, **fields):
    """The finding of that code, or None."""
    return next((each for each in read(evidence(trial, **fields)) if each.code == code), None)


def with_curves(trial, **curves):
    """The trial with sampled curves, named by their words: ``first`` and ``last`` of the
    gradient's, ``total`` of all of it, ``stale`` gradients."""
    names = {
        "total": "gradient_norm",
        "first": FIRST_GRADIENT,
        "last": LAST_GRADIENT,
        "stale": STALE_GRADIENT,
    }
    added = {
        (names.get(name, name), "train"): Curve(
            tuple(EVERY * at for at in range(len(values))), tuple(map(float, values))
        )
        for name, values in curves.items()
    }
    return replace(trial, curves={**trial.curves, **added})


def stalled(*, end=2.2, epochs=12, **fields):
    """A run that hardly leaves chance: 15 % right."""
    given = {
        "train_loss": falling(2.3, end, epochs),
        "val_loss": falling(2.3, end, epochs),
        "train": falling(0.1, 0.15, epochs),
        "val": falling(0.1, 0.15, epochs),
        "losses": falling(2.3, end, 239, half_life=30) + 0.02 * RNG.normal(size=240),
        "ratio": 1e-3,
    }
    return read_trial(**{**given, **fields})


def unfitted(**fields):
    """A run that stands still at 70 % of its own training samples."""
    given = {
        "train_loss": falling(2.3, 0.9, 20),
        "val_loss": falling(2.3, 0.92, 20),
        "train": falling(0.1, 0.7, 20),
        "val": falling(0.1, 0.7, 20),
        "losses": falling(2.3, 0.9, 399, half_life=30) + 0.02 * RNG.normal(size=400),
        "ratio": 1e-3,
    }
    return read_trial(**{**given, **fields})


def exploded(**fields):
    return read_trial(
        losses=2.3 + 0.1 * np.arange(60.0), cause=TrialCause.DIVERGED, ratio=1e-3, **fields
    )


# Units that no longer respond


@pytest.mark.parametrize("sick", [stalled, unfitted, exploded])
def test_dead_units_of_an_impaired_run_are_a_fault(sick):
    finding = found(sick(dead_share=0.8), "dead_relu")

    assert finding.severity is Severity.WARNING
    assert "80 % of a layer's ReLU units are dead at the end" in finding.sentence
    assert finding.causes[0].code == "lr_high"


@pytest.mark.parametrize(
    "fine",
    [
        healthy_trial(dead_share=0.8),  # it learns all the same
        stalled(dead_share=0.15),  # usual
        stalled(),  # not measured
    ],
)
def test_dead_units_are_none_of_a_run_that_learns_nor_few_of_another(fine):
    assert found(fine, "dead_relu") is None


def test_some_dead_units_are_a_hint():
    assert found(stalled(dead_share=0.3), "dead_relu").severity is Severity.INFO


@pytest.mark.parametrize("sick", [stalled, unfitted, exploded])
def test_saturated_units_of_an_impaired_run_are_a_fault(sick):
    finding = found(sick(saturated_share=0.7), "saturated_activation")

    assert finding.severity is Severity.WARNING
    assert "70 % of the inputs of a sigmoid or tanh layer lie beyond +-5" in finding.sentence


@pytest.mark.parametrize(
    "fine", [healthy_trial(saturated_share=0.9), stalled(saturated_share=0.5), stalled()]
)
def test_saturation_is_none_of_a_run_that_learns(fine):
    assert found(fine, "saturated_activation") is None


# Gradients


def gradients(trial, first, last, *, samples=8):
    total = math.hypot(first, last)
    return with_curves(
        trial, total=[total] * samples, first=[first] * samples, last=[last] * samples
    )


@pytest.mark.parametrize("sick", [stalled, unfitted, exploded])
def test_a_gradient_that_does_not_arrive_has_vanished(sick):
    finding = found(gradients(sick(), 1e-6, 0.1), "vanishing_gradient")

    assert finding.severity is Severity.WARNING
    assert "from the last weights (1e-1) to the first (1e-6)" in finding.sentence
    assert finding.evidence["ratio"] == pytest.approx(1e-5)


@pytest.mark.parametrize(
    "fine",
    [
        gradients(healthy_trial(), 1e-6, 0.1),  # it learns all the same
        gradients(stalled(), 1e-3, 0.1),  # small, and it arrives
        gradients(stalled(), 1e-5, 2e-5),  # small everywhere: what a trained model has
        gradients(stalled(), 1e-6, 0.1, samples=4),  # too few to say
    ],
)
def test_a_small_gradient_alone_has_not_vanished(fine):
    assert found(fine, "vanishing_gradient") is None


def leaping(trial, height=50.0):
    norms = np.ones(40)
    norms[[10, 25]] = height
    return with_curves(trial, total=norms)


@pytest.mark.parametrize(
    "sick",
    [
        leaping(stalled()),
        gradients(unfitted(), 10.0, 0.1),
        with_curves(unfitted(), total=[1.0] * 10 + [math.inf]),
    ],
)
def test_a_gradient_that_leaps_or_grows_explodes(sick):
    finding = found(sick, "exploding_gradient")

    assert finding.severity is Severity.WARNING
    assert "The gradient explodes: " in finding.sentence
    assert "grad_clip" in finding.action


@pytest.mark.parametrize(
    "fine",
    [
        leaping(healthy_trial()),  # it learns all the same
        leaping(stalled(), height=5.0),  # usual
        with_curves(stalled(), total=[1.0] * 10 + [1e-6] * 20 + [1e-3]),  # next to nothing
        gradients(stalled(), 1.0, 0.1),
        with_curves(stalled(), total=falling(10.0, 0.1, 40)),  # falls as the loss does
    ],
)
def test_a_lively_gradient_does_not_explode(fine):
    assert found(fine, "exploding_gradient") is None


def test_where_the_loss_exploded_the_gradient_is_no_second_warning():
    reading = read(evidence(leaping(exploded())))

    assert reading[0].code == "diverged"
    assert found(leaping(exploded()), "exploding_gradient").severity is Severity.INFO


@pytest.mark.parametrize("share", [1.0, 0.7, 0.5])
def test_gradients_left_over_are_an_error(share):
    num = 11
    stale = {"stale": np.ones(1 + round(share * (num - 1)))}
    finding = found(with_curves(healthy_trial(), total=np.ones(num), **stale), "missing_zero_grad")

    assert finding.severity is Severity.ERROR
    assert "Gradients are not cleared: " in finding.sentence
    assert {each.code for each in finding.causes} >= {"no_zero_grad", "not_in_optimizer"}


@pytest.mark.parametrize(
    "fine",
    [
        healthy_trial(),
        with_curves(healthy_trial(), total=np.ones(11)),
        with_curves(healthy_trial(), total=np.ones(11), stale=[1.0]),  # before the first step
        with_curves(healthy_trial(), total=np.arange(1.0, 12.0)),  # grows, and is fresh
    ],
)
def test_gradients_that_are_cleared_are_fine(fine):
    assert found(fine, "missing_zero_grad") is None


# Updates


@pytest.mark.parametrize("ratio", [5e-5, 1e-5, 1e-6])
def test_updates_too_small_to_get_anywhere(ratio):
    finding = found(unfitted(ratio=ratio), "update_ratio_low")

    assert finding.severity is Severity.WARNING
    assert "too small to get anywhere" in finding.sentence


@pytest.mark.parametrize("ratio", [0.02, 0.1, 3.0])
def test_updates_too_large_to_settle(ratio):
    finding = found(unfitted(ratio=ratio), "update_ratio_high")

    assert finding.severity is Severity.WARNING
    assert "too large to settle" in finding.sentence
    assert finding.confidence == (0.6 if ratio < 0.1 else 0.9)


@pytest.mark.parametrize(
    "fine",
    [
        healthy_trial(ratio=1e-5),
        healthy_trial(ratio=0.05),
        unfitted(ratio=2e-4),
        unfitted(ratio=9e-3),
        unfitted(ratio=None),
        unfitted(ratio=5e-5, dead_share=0.9),  # that is why
        unfitted(ratio=0.05, val=falling(0.1, 0.4, 20)),  # it overfits
    ],
)
def test_ratios_of_a_run_that_learns_or_within_bounds_are_fine(fine):
    for code in ("update_ratio_low", "update_ratio_high"):
        assert found(fine, code) is None


def test_a_rate_too_low_is_said_once():
    trial = stalled(end=2.28, ratio=1e-5)

    assert found(trial, "lr_too_low") is not None
    assert found(trial, "update_ratio_low") is None


@pytest.mark.parametrize("smallest", [5e-324, 1e-300])
def test_a_gradient_of_next_to_nothing_gives_no_ratio(smallest):
    vanishes = [0.0, 0.0, 0.0, 1.0, 1.0, *[smallest] * 30, 1.0]
    trial = with_curves(stalled(), total=vanishes, first=vanishes[3:5] * 5, last=[smallest] * 10)

    assert found(trial, "exploding_gradient") is None


def test_beside_dead_units_a_gradient_that_leaps_says_nothing():
    assert found(leaping(unfitted()), "exploding_gradient") is not None
    assert found(leaping(unfitted(dead_share=0.8)), "exploding_gradient") is None


# Train against eval mode


def modes(train, own_eval, again=None, n=256):
    again = own_eval if again is None else again
    return ModeLosses(train=train, eval=own_eval, eval_again=again, n=n)


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        (modes(0.2, 1.5), "a loss of 1.5 in eval mode and 0.2 in train mode"),
        (modes(0.2, math.nan), "NaN in eval mode"),
        (modes(0.5, 0.40, 0.45), "random in eval mode"),
        (modes(0.02, 0.03, 0.05), "random in eval mode"),
    ],
)
def test_a_model_that_is_another_in_eval_mode(losses, words):
    trial = healthy_trial(mode_losses=losses, train_loss=falling(2.3, 1.5, 20))
    finding = found(trial, "train_eval_mismatch")

    assert finding.severity is Severity.WARNING
    assert words in finding.sentence


def test_one_moment_in_eval_mode_is_no_mismatch():
    """The epochs before it, in eval mode too, had the loss of train mode."""
    at_the_end = modes(0.2, 1.5)

    assert found(healthy_trial(mode_losses=at_the_end), "train_eval_mismatch") is None


def test_fit_is_not_judged_in_another_mode():
    stands = {"train_loss": falling(2.3, 1.5, 20), "train": falling(0.1, 0.5, 20)}
    stands |= {"val_loss": falling(2.3, 1.5, 20), "val": falling(0.1, 0.5, 20)}

    assert found(healthy_trial(**stands), "underfitting") is not None
    assert found(healthy_trial(**stands, mode_losses=modes(0.2, 1.5)), "underfitting") is None
    # Nothing fits in train mode either:
    assert found(healthy_trial(**stands, mode_losses=modes(0.9, 1.5)), "underfitting") is not None


@pytest.mark.parametrize(
    "fine",
    [
        healthy_trial(),
        healthy_trial(mode_losses=modes(0.6, 0.2)),  # dropout
        healthy_trial(mode_losses=modes(0.01, 0.03)),  # three times next to nothing
        healthy_trial(mode_losses=modes(0.2, 0.28, 0.2800001)),  # rounding
        healthy_trial(mode_losses=modes(0.2, 1.5), iterations=30),  # running averages are young
    ],
)
def test_modes_that_agree_or_differ_as_they_should(fine):
    assert found(fine, "train_eval_mismatch") is None


# Batch norm


@pytest.mark.parametrize(("batch", "is_error"), [(1, True), (2, False), (7, False)])
def test_batch_norm_wants_a_batch(batch, is_error):
    task = description(has_batch_norm=True)
    trial = healthy_trial(params={"batch_size": batch})
    finding = found(trial, "batch_norm_small_batch", task=task)

    assert finding.severity is (Severity.ERROR if is_error else Severity.WARNING)
    assert f"trains on batches of {batch}," in finding.sentence


@pytest.mark.parametrize(
    ("has_batch_norm", "params"),
    [(True, {"batch_size": 8}), (True, {}), (False, {"batch_size": 1})],
)
def test_batches_that_are_large_enough_or_need_not_be(has_batch_norm, params):
    task = description(has_batch_norm=has_batch_norm)
    assert found(healthy_trial(params=params), "batch_norm_small_batch", task=task) is None


def test_an_unknown_rate_is_not_printed():
    for trial in (stalled(dead_share=0.8), unfitted(ratio=0.05), leaping(unfitted())):
        unknown = replace(trial, params={"weight_decay": 1e-4})
        for finding in read(evidence(unknown)):
            words = [finding.sentence, finding.action, *(each.sentence for each in finding.causes)]
            assert not [each for each in words if "NaN" in each]
