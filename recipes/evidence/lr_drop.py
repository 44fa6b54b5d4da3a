"""The LR-drop probe: a trial's best snapshot trained a little further at a lower rate.

The cheapest experiment that tells a plateau at this learning rate from a model that can
do no better (notes on diagnosis, 0.4: public logs gain 7 to 13 points within two epochs of
a cut after 60 to 100 flat ones).
"""

from __future__ import annotations

from recipes.evidence.trial_series import TrialSeries
from recipes.metric import Metric
from recipes.value import Number, Value
from recipes.words import number

DROP = 10.0
"""The rate is divided by this."""

PROBE_EPOCHS = 2
"""Epochs of the probe (notes on diagnosis, 0.4: one or two)."""

CONFIRMING_SDS = 3.0
"""Epoch-to-epoch sds of the train loss by which it must fall (notes on diagnosis, row 17)."""

BELOW_LOWEST = 0.10
"""Share by which the train loss must otherwise fall below the lowest that the old rate ever
reached: a rate that is far too high makes the noise that its own fall is measured by (ours)."""

LEAST_FALL = 0.01
"""A fall below this share of the train loss is no use, however certain."""


class LrDrop(Value):
    """Before the first and after the last iteration of the probe, on the same samples.

    Attributes:
        probe: The probe's trial number.
        of: The probed trial's.
        lr: It trained at.
        epochs: It trained for.
        noise: Epoch-to-epoch sd of the probed trial's train loss.
        lowest: The lowest train loss after any of the probed trial's epochs.
        gain_error: Standard error of one of the two values; of their difference it is less,
            because the samples are the same.
    """

    probe: int
    of: int
    lr: Number
    epochs: int
    noise: Number
    lowest: Number
    train_before: Number
    train_after: Number
    val_before: Number
    val_after: Number
    metric: Metric
    metric_before: Number
    metric_after: Number
    gain_error: Number

    @property
    def threshold(self) -> float:
        """The fall of the train loss that counts."""
        by_noise = CONFIRMING_SDS * self.noise
        by_lowest = self.train_before - self.lowest + BELOW_LOWEST * abs(self.lowest)
        return max(min(by_noise, by_lowest), LEAST_FALL * abs(self.train_before))

    @property
    def gain(self) -> float:
        """How much better the metric became on validation."""
        return self.metric.gain(self.metric_before, self.metric_after)

    @property
    def confirms(self) -> bool:
        """The lower rate lets the loss fall at once, and not by memorising alone."""
        falls = self.train_before - self.train_after > self.threshold
        return falls and self.val_after <= self.val_before

    @property
    def words(self) -> str:
        """What it did, to stand in a sentence."""
        return (
            f"train loss {number(self.train_before)} to {number(self.train_after)}, validation "
            f"{self.metric.label} {self.metric.text(self.metric_before)} to "
            f"{self.metric.text(self.metric_after, self.gain_error)}"
        )


def lr_drop(
    probe: TrialSeries, probed: TrialSeries, *, noise: float, metric: Metric
) -> LrDrop | None:
    """Read a probe; None when it measured no epoch (it failed, or was stopped).

    Args:
        probe: The run at the lower rate.
        probed: The run whose best snapshot it began from.
        noise: Epoch-to-epoch sd of its train loss.
        metric: What to read beside the losses.
    """
    losses = [probe.series("loss", split) for split in ("train", "val")]
    scores = probe.series(metric.name, "val")
    if not all(len(each) for each in (*losses, scores)):
        return None
    train, val = losses
    at_old_rate = probed.series("loss", "train")
    return LrDrop(
        probe=probe.number,
        of=probed.number,
        lr=probe.lr,
        epochs=probe.epochs,
        noise=noise,
        lowest=float(at_old_rate.trained.min()) if len(at_old_rate) else train.start,
        train_before=train.start,
        train_after=float(train.trained[-1]),
        val_before=val.start,
        val_after=float(val.trained[-1]),
        metric=metric,
        metric_before=scores.start,
        metric_after=float(scores.trained[-1]),
        gain_error=scores.end_error,
    )
