"""The evidence of step 6: one trial's curves with their features, each computed once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recipes.description import TaskDescription
from recipes.evidence.lr_drop import LrDrop
from recipes.evidence.peers import Peers, Table
from recipes.evidence.trial_series import EpochSeries, TrialSeries
from recipes.expectation import baseline_loss
from recipes.metric import POINT_METRICS, Metric
from recipes.trend import Array, Trend, is_flat, noise_sd, trend

TREND_EPOCHS = 8
TREND_SHARE = 0.2
"""A trend is read over the last max(8, 0.2 T) epochs (notes on diagnosis, rows 31 and 34)."""

FLAT_SHARE = 0.005
"""A plateau moves by less than this share of its level (notes on diagnosis, section 4)."""

KEPT_GAIN = 0.5
"""Of what the last slope promises for as many epochs again, the part that a curve falling
like 1/epoch keeps: (1/T - 1/2T) over T / T^2. Exponential ones keep less, slower powers up
to ln 2."""

SIGNIFICANT_ERRORS = 2.0
"""Standard errors of a difference that count as one (two-sided 5 %; rows 30 and 36)."""

TINY_LOSS = 1e-9
"""A smallest loss at or under it has no meaningful ratio to a later one."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What as many epochs again would probably bring.

    Attributes:
        trend: Of the last epochs; rising means better, whichever way the series counts.
        gain: Predicted improvement, on the series' own scale; 0 without a trend to the better.
    """

    trend: Trend
    gain: float


@dataclass(frozen=True)
class CurveEvidence:
    """One trial among its peers.

    Attributes:
        series: Its numbers.
        peers: The other trials of the study with at least one epoch.
        lr_drop: What a lower rate did to its best snapshot, if that was tried.
        memorises: Whether step 2 found the model able to memorise a sample; None: not tried.
    """

    description: TaskDescription
    series: TrialSeries
    peers: Sequence[TrialSeries] = ()
    lr_drop: LrDrop | None = None
    memorises: bool | None = None

    @cached_property
    def metric(self) -> Metric:
        """What fit is judged by: accuracy or R² where there is one, else the objective."""
        measured = self.series.metrics("val")
        name = next((each for each in POINT_METRICS if each in measured), None)
        if name is not None:
            return Metric(name=name, maximise=True)
        task = self.description
        return Metric(name=task.metric, maximise=task.direction == "maximize")

    @property
    def epochs(self) -> int:
        """Whole epochs trained."""
        return self.series.epochs

    @cached_property
    def val(self) -> EpochSeries:
        """``metric`` on validation samples."""
        return self.series.series(self.metric.name, "val")

    @cached_property
    def train(self) -> EpochSeries:
        """``metric`` on a fixed sample of the training data, in eval mode."""
        return self.series.series(self.metric.name, "train")

    @cached_property
    def val_loss(self) -> EpochSeries:
        """The loss on validation samples."""
        return self.series.series("loss", "val")

    @cached_property
    def train_loss(self) -> EpochSeries:
        """The loss on a fixed sample of the training data, in eval mode."""
        return self.series.series("loss", "train")

    @property
    def baseline(self) -> float | None:
        """The best constant prediction's loss, if known."""
        return baseline_loss(self.description)

    @cached_property
    def scale(self) -> float:
        """What a share of a difference is a share of: 1 for accuracy and R², else the most
        that the metric has improved since before training. NaN when unknown."""
        if self.metric.has_points:
            return 1.0
        if not len(self.val):
            return math.nan
        gains = [self.metric.gain(self.val.start, each) for each in self.val.trained]
        return max(gains) if max(gains) > 0 else math.nan

    @cached_property
    def start_loss(self) -> float:
        """The loss of the untrained model; NaN when it was not measured."""
        known = (self.train_loss.start, self.val_loss.start)
        return next((each for each in known if math.isfinite(each)), math.nan)

    @cached_property
    def gap(self) -> float:
        """How much better the metric is on training samples at the end; NaN when unknown."""
        if not (len(self.val) and len(self.train)):
            return math.nan
        return self.metric.gain(self.val.end, self.train.end)

    @cached_property
    def gap_error(self) -> float:
        """Standard error of the gap: the two splits are independent samples."""
        return math.hypot(self.val.end_error, self.train.end_error)

    @cached_property
    def loss_minimum(self) -> int:
        """Index of the smallest smoothed validation loss, 0 for the first epoch."""
        return int(np.argmin(self.val_loss.smooth))

    @cached_property
    def loss_rise(self) -> float:
        """Prechelt's generalisation loss at the end, on 5-epoch medians, as a share; or NaN."""
        return _rise(self.val_loss.smooth)

    @cached_property
    def raw_loss_rise(self) -> float:
        """The same on the raw values: all that short runs have."""
        return _rise(self.val_loss.trained)

    @cached_property
    def val_outlook(self) -> Outlook | None:
        """Whether the validation loss still falls; None below eight epochs."""
        return _outlook(self.val_loss, -1.0)

    @cached_property
    def metric_outlook(self) -> Outlook | None:
        """Whether the metric still improves on validation; None below eight epochs."""
        return _outlook(self.val, 1.0 if self.metric.maximise else -1.0)

    @cached_property
    def train_outlook(self) -> Outlook | None:
        """Whether the train loss still falls; None below eight epochs."""
        return _outlook(self.train_loss, -1.0)

    @cached_property
    def is_plateau(self) -> bool:
        """The loss stands still at its present rate, on training or validation samples."""
        kept = [_last(each) for each in (self.train_loss, self.val_loss)]
        return any(len(each) >= TREND_EPOCHS and is_flat(each, share=FLAT_SHARE) for each in kept)

    @cached_property
    def epoch_noise(self) -> float:
        """Sd of the train loss around its course over the last epochs."""
        return noise_sd(_last(self.train_loss))

    @property
    def is_decayed(self) -> bool:
        """Whether the learning rate went down by a schedule."""
        return self.series.schedule != "constant"

    @cached_property
    def compared(self) -> Peers:
        """``peers`` with their numbers as arrays."""
        return self.peers if isinstance(self.peers, Peers) else Peers(Table(self.peers))

    @cached_property
    def best_peer(self) -> tuple[TrialSeries, float] | None:
        """The peer with the lowest train loss after as many epochs, with that loss."""
        losses = self.compared.after("loss", "train", self.epochs)
        if np.isnan(losses).all():
            return None
        lowest = float(np.nanmin(losses))
        best = [self.compared[int(at)] for at in np.flatnonzero(losses == lowest)]
        return min(best, key=lambda peer: peer.number), lowest

    @cached_property
    def best_epoch(self) -> int:
        """The epoch, from 1, whose metric on validation was best; 0 when there is none."""
        if not len(self.val):
            return 0
        values = self.val.trained
        return 1 + int(np.argmax(values) if self.metric.maximise else np.argmin(values))


def _last(series: EpochSeries) -> Array:
    """The epochs a trend is read over."""
    return series.trained[-max(TREND_EPOCHS, math.ceil(TREND_SHARE * len(series))) :]


def _rise(losses: Array) -> float:
    """Last value over the smallest, minus 1; NaN where the ratio means nothing."""
    if not len(losses) or not losses.min() > TINY_LOSS:
        return math.nan
    return float(losses[-1] / losses.min()) - 1.0


def _outlook(series: EpochSeries, sign: float) -> Outlook | None:
    window = _last(series)
    if len(window) < TREND_EPOCHS:
        return None
    line = trend(sign * window)
    if line is None:
        return None
    if not line.rises:
        return Outlook(line, 0.0)
    return Outlook(line, min(KEPT_GAIN * line.slope * len(series), _tail(sign * window)))


def _tail(window: Array) -> float:
    """What is still to come if the gains of the window's thirds go on shrinking as they did.

    Aitken's (1926) extrapolation to the limit: gains d1 and d2 leave d2 r / (1 - r), with
    r = d2 / d1. Infinite where the gains do not shrink, 0 where the last one is none.
    """
    first, middle, last = (float(part.mean()) for part in np.array_split(window, 3))
    before, after = middle - first, last - middle
    if after <= 0:
        return 0.0
    return after * after / (before - after) if before > after else math.inf
