"""A trial at a clearly lower rate, with all else equal, that learned far more."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recipes.evidence.curves import CurveEvidence
from recipes.evidence.peers import Peers
from recipes.evidence.sufficiency import is_enough
from recipes.evidence.trial_series import TrialSeries
from recipes.expectation import expected_initial_loss
from recipes.metric import Metric
from recipes.rules.batch_norm_small_batch import batch_norm_small_batch
from recipes.rules.inputs_not_normalised import are_inputs_raw
from recipes.trend import Array
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
    own, peers = evidence.series, evidence.compared
    is_lower = peers.alike(own) & (LOWER_RATE * peers.rates <= own.lr)  # false for NaN
    find = _beside_diverged if has_diverged(evidence) else _beside_finished
    return find(evidence, is_lower)


def has_diverged(evidence: CurveEvidence) -> bool:
    """Whether its loss grew beyond bounds. One that became NaN all at once may be a batch's."""
    return evidence.series.cause is TrialCause.DIVERGED


def _beside_finished(evidence: CurveEvidence, is_lower: NDArray[np.bool_]) -> BetterLower | None:
    if not is_enough("lr_too_high", evidence):
        return None
    metric, epochs, peers = evidence.metric, evidence.epochs, evidence.compared
    own_error = _error(metric, evidence.val.end, evidence.val.end_error, evidence.val.n)
    losses = peers.of_each(_smooth_after, "loss", "train", epochs)
    values = peers.of_each(_smooth_after, metric.name, "val", epochs)
    gains = values - evidence.val.end if metric.maximise else evidence.val.end - values
    # Comparisons with NaN are false.
    is_lower = is_lower & (evidence.train_loss.end - losses >= FAR_BELOW * evidence.start_loss)
    for at in _lowest_first(losses, peers, is_lower & (gains > SURE_ERRORS * own_error)):
        series = peers[at].series(metric.name, "val")
        known = float(series.standard_errors[epochs])
        error = math.hypot(own_error, _error(metric, float(values[at]), known, series.n))
        if gains[at] > SURE_ERRORS * error:
            return BetterLower(peers[at], float(losses[at]), float(gains[at]), error)
    return None


def _smooth_after(series: TrialSeries, metric: str, split: str, epochs: int) -> float:
    """Median of three epochs, as a trial's own end is; NaN where it has fewer than ``epochs``."""
    found = series.series(metric, split)
    if len(found) < epochs:
        return math.nan
    return float(np.median(found.values[epochs - 2 : epochs + 1]))


def _lowest_first(losses: Array, peers: Peers, kept: NDArray[np.bool_]) -> list[int]:
    return sorted(np.flatnonzero(kept).tolist(), key=lambda at: (losses[at], peers[at].number))


def _error(metric: Metric, value: float, standard_error: float, n: int) -> float:
    """The standard error, and one above 0 where all samples are right."""
    return standard_error if standard_error != 0 else metric.error(value, standard_error, n)


def _beside_diverged(evidence: CurveEvidence, is_lower: NDArray[np.bool_]) -> BetterLower | None:
    """The peer must have gone to its end and learned."""
    peers, baseline = evidence.compared, evidence.baseline
    ends = peers.of_each(_end_of_learned, baseline)
    found = _lowest_first(ends, peers, is_lower & np.isfinite(ends))
    if not found:
        return None
    return BetterLower(peers[found[0]], float(ends[found[0]]), math.nan, math.nan)


def _end_of_learned(series: TrialSeries, baseline: float | None) -> float:
    """Where the train loss ended; NaN where it was not trained to its end, or learned nothing."""
    losses = series.series("loss", "train")
    if series.cause is not TrialCause.FINISHED or not len(losses):
        return math.nan
    known = losses.start if baseline is None else min(losses.start, abs(baseline))
    end = float(np.median(losses.trained[-3:]))
    return end if end < RUINED_SHARE * known else math.nan


def _starts_too_high(evidence: CurveEvidence) -> bool:
    """Whether the initial loss is far above the expected one; not where none is known."""
    expected = expected_initial_loss(evidence.description)
    return expected is not None and evidence.start_loss > SOUND_START * abs(expected.value)
