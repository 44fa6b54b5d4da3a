"""Rules in the manner of AutoTrainer (Zhang et al., ICSE 2021).

Restated in our own words from its paper and its code, with its thresholds (notes on
diagnosis, 1.2). It judges gradients only while the accuracy is below what it wants.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from benchmarks.faults.peers.evidence import PeerEvidence, Verdict, verdict

NAN_LOSS = 1e3
WANTED = 0.6
"""Accuracy it wants (its Theta; 0.6 to 0.7 in its experiments)."""

FIRST_PART = 0.3
"""Of the epochs, those it does not judge yet."""

SWING, SWING_SHARE = 0.03, 0.2
LEAST_GAIN = 0.01
VANISHING_RATIO, VANISHING_NORM = 1e-3, 1e-4
EXPLODING_RATIO = 70.0
DEAD_GRADIENTS = 0.7


def autotrainer(run: PeerEvidence) -> list[Verdict]:
    """The problems it reports."""
    found = []
    if any(not math.isfinite(loss) or loss >= NAN_LOSS for loss in run.steps):
        found.append(
            verdict("explode (loss)", "non_finite_loss", "diverged", "exploding_gradient")
        )
    first = int(FIRST_PART * run.epochs)
    accuracy = list(run.train_accuracy)
    if _swings(accuracy[first:]):
        found.append(verdict("oscillating loss", "oscillation", "noisy_loss", "loss_spikes"))
    judged = accuracy[first:] and max(accuracy) < WANTED
    if not judged:
        return found
    looks = list(run.looks)[int(FIRST_PART * len(run.looks)) :]
    weights = [run.weights(look) for look in looks if run.weights(look)]
    if any(_mean_zero(each) >= DEAD_GRADIENTS for each in weights):
        found.append(verdict("dying ReLU", "dead_relu"))
    norms = [(each[0]["gradient_norm"], each[-1]["gradient_norm"]) for each in weights]
    ratios = [(begin / end, begin) for begin, end in norms if end > 0]
    if any(ratio > EXPLODING_RATIO for ratio, _ in ratios):
        found.append(verdict("exploding gradient", "exploding_gradient", "activation_scale_drift"))
    if any(ratio < VANISHING_RATIO and norm < VANISHING_NORM for ratio, norm in ratios):
        found.append(verdict("vanishing gradient", "vanishing_gradient", "activation_scale_drift"))
    gains = [after - before for before, after in pairwise(accuracy)]
    if gains and max(gains) < LEAST_GAIN:
        found.append(
            verdict("slow convergence", "lr_too_low", "stuck_at_chance", "still_improving")
        )
    return found


def _swings(values: list[float]) -> bool:
    """Peaks above their following valley by the size that counts, in enough of the epochs."""
    if len(values) < 3:
        return False
    turns = [
        at
        for at in range(1, len(values) - 1)
        if (values[at] - values[at - 1]) * (values[at + 1] - values[at]) < 0
    ]
    large = sum(abs(values[a] - values[b]) >= SWING for a, b in pairwise(turns))
    return large >= SWING_SHARE * len(values)


def _mean_zero(weights: Sequence[Mapping[str, Any]]) -> float:
    return float(sum(each["zero_share"] for each in weights) / len(weights))
