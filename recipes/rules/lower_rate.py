"""A trial at a clearly lower rate, with all else equal, that learned far more."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.sufficiency import is_enough
from recipes.evidence.trial_series import TrialSeries
from recipes.expectation import expected_initial_loss
from recipes.metric import Metric
from recipes.rules.batch_norm_small_batch import batch_norm_small_batch
from recipes.rules.inputs_not_normalised import are_inputs_raw
from recipes.trial import TrialCause

LOWER_RATE = 2.0
"""The peer's rate must be lower by this factor, or the rate is not what differs."""

FAR_BELOW = 0.05
"""Share of the untrained model's loss by which the peer's train loss must end lower (ours): of
the start, since between two losses near zero even a factor is nothing."""

SURE_ERRORS = 3.0
"""Standard errors of the difference by which it must be better on validation: several peers are
looked at, and two happen by chance."""

RUINED_SHARE = 0.7
"""Train loss over a constant guess's from which next to nothing is left of what was learned
(ours)."""

SOUND_START = 2.0
"""A run that began above this many times the loss expected of an untrained model may owe the
difference to its initial weights, which a lower rate unlearns with less harm (ours)."""


@dataclass(frozen=True, slots=True)
class BetterLower:
    """What the lower rate reached in as many epochs.

    Attributes:
        train_loss: Of the peer.
        gain: By which its metric is better on validation; NaN beside a run that diverged.
        error: Standard error of that difference.
    """

    peer: TrialSeries
    train_loss: float
    gain: float
    error: float


def better_lower(evidence: CurveEvidence) -> BetterLower | None:
    """The best such peer by train loss; None without one.

    A lower rate that fits better *and* validates better cannot be more regularisation or
    luck: what differs is the rate. Raw inputs, and batch norm over a handful of samples,
    have their own rules; so has an initial loss that is far too high.
    """
    if _starts_too_high(evidence):
        return None
    if are_inputs_raw(evidence.description) or batch_norm_small_batch(evidence) is not None:
        return None
    own = evidence.series
    lower = [
        peer
        for peer in evidence.peers
        if LOWER_RATE * peer.lr <= own.lr and _all_but_rate(peer) == _all_but_rate(own)
    ]
    judge = _beside_diverged if has_diverged(evidence) else _beside_finished
    found = [each for each in (judge(evidence, peer) for peer in lower) if each is not None]
    return min(found, key=lambda each: (each.train_loss, each.peer.number), default=None)


def has_diverged(evidence: CurveEvidence) -> bool:
    """Whether its loss grew beyond bounds. One that became NaN all at once may be a batch's."""
    return evidence.series.cause is TrialCause.DIVERGED


def _beside_finished(evidence: CurveEvidence, peer: TrialSeries) -> BetterLower | None:
    if not is_enough("lr_too_high", evidence):
        return None
    metric, epochs = evidence.metric, evidence.epochs
    losses, values = peer.series("loss", "train"), peer.series(metric.name, "val")
    if min(len(losses), len(values)) < epochs:
        return None
    # Medians of the last three epochs, as the trial's own ends are.
    loss = float(np.median(losses.values[epochs - 2 : epochs + 1]))
    value = float(np.median(values.values[epochs - 2 : epochs + 1]))
    error = math.hypot(
        _error(metric, evidence.val.end, evidence.val.end_error, evidence.val.n),
        _error(metric, value, float(values.standard_errors[epochs]), values.n),
    )
    gain = metric.gain(evidence.val.end, value)
    # Comparisons with NaN are false.
    is_lower = evidence.train_loss.end - loss >= FAR_BELOW * evidence.start_loss
    if not (is_lower and gain > SURE_ERRORS * error):
        return None
    return BetterLower(peer, loss, gain, error)


def _error(metric: Metric, value: float, standard_error: float, n: int) -> float:
    """The standard error, and one above 0 where all samples are right."""
    return standard_error if standard_error != 0 else metric.error(value, standard_error, n)


def _beside_diverged(evidence: CurveEvidence, peer: TrialSeries) -> BetterLower | None:
    """The peer must have gone to its end and learned."""
    losses, baseline = peer.series("loss", "train"), evidence.baseline
    if peer.cause is not TrialCause.FINISHED or not len(losses):
        return None
    known = losses.start if baseline is None else min(losses.start, abs(baseline))
    end = float(np.median(losses.trained[-3:]))
    return BetterLower(peer, end, math.nan, math.nan) if end < RUINED_SHARE * known else None


def _starts_too_high(evidence: CurveEvidence) -> bool:
    """Whether the initial loss is far above the expected one; not where none is known."""
    expected = expected_initial_loss(evidence.description)
    return expected is not None and evidence.start_loss > SOUND_START * abs(expected.value)


def _all_but_rate(series: TrialSeries) -> dict[str, object]:
    return {name: value for name, value in series.params.items() if name != "lr"}
