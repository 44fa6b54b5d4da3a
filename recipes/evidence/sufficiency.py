"""What a rule on curves needs before it may speak, and before its silence means anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from recipes.evidence.curves import CurveEvidence
from recipes.words import plural


@dataclass(frozen=True, slots=True)
class Need:
    """The data one rule needs.

    Attributes:
        epochs: Fewest epochs.
        points: Fewest points of the train loss by iteration.
        train: Needs the metric on training samples in eval mode, with both splits' n known.
        for_health: Whether ``healthy`` cannot be said without it.
    """

    epochs: int = 0
    points: int = 0
    train: bool = False
    for_health: bool = False


NEEDS: Mapping[str, Need] = MappingProxyType(
    {
        "overfitting": Need(epochs=8, train=True, for_health=True),
        "overtraining": Need(epochs=10, for_health=True),
        "underfitting": Need(epochs=8, train=True, for_health=True),
        "still_improving": Need(epochs=8, for_health=True),
        "oscillation": Need(epochs=10, for_health=True),
        "val_better_than_train": Need(epochs=3, train=True, for_health=True),
        "val_below_chance": Need(epochs=1, train=True),
        "constant_prediction": Need(epochs=3, train=True),
        "lr_too_high": Need(epochs=8, points=40),
        "lr_too_low": Need(epochs=1, points=40),
        "flat_then_drop": Need(points=40),
        "loss_spikes": Need(points=100),
        "noisy_loss": Need(points=100),
        "loss_rising": Need(points=20),
        "periodic_loss": Need(epochs=3, points=100),
    }
)
"""By code. Eight epochs: the gate of gap and fit (notes on diagnosis, precedence). Ten: below,
5-epoch medians are blind (row 31), and oscillation looks at ten (row 18). Points: a fifth of
them must still be a curve (row 17), and a robust sd wants dozens."""


def missing(code: str, evidence: CurveEvidence) -> str | None:
    """What a rule lacks, in words; None when it has enough."""
    need = NEEDS[code]
    measured = min(len(evidence.val_loss), len(evidence.val))
    if measured < need.epochs:
        return f"{plural(need.epochs, 'epoch')} (it has {measured})"
    if need.train:
        if len(evidence.train) < need.epochs or not evidence.series.is_train_in_eval_mode:
            return f"{evidence.metric.label} on training samples in eval mode"
        if not math.isfinite(evidence.gap_error):
            return "the number of validation and training samples"
    if len(evidence.series.losses) < need.points:
        given = len(evidence.series.losses)
        return f"{need.points} points of the train loss by iteration (it has {given})"
    return None


def is_enough(code: str, evidence: CurveEvidence) -> bool:
    """Whether a rule has the data it needs."""
    return missing(code, evidence) is None
