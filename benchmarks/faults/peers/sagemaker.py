"""Rules in the manner of Amazon SageMaker Debugger's built-in ones.

Restated in our own words from its public documentation, with its default thresholds
(notes on diagnosis, 1.2). A rule fires when it does at any look, as it does there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from benchmarks.faults.peers.evidence import PeerEvidence, Verdict, verdict

VANISHING = 1e-7
INACTIVE_LAYER = 0.5
SATURATED_LAYER = 0.5
VARIANCE_RATIO = 10.0
GRADIENT_RANGE = 1e-3
INITIAL_STEPS, PATIENCE = 10, 5
LARGE_UPDATE, SMALL_UPDATE = 10.0, 1e-8
LEAST_FALL, STEPS_APART = 0.001, 10
OVERFIT_RATIO = 0.1
LEAST_GAIN, TRAIN_PATIENCE, VAL_PATIENCE = 0.01, 5, 10
IMBALANCE = 10.0


def sagemaker(run: PeerEvidence) -> list[Verdict]:
    """Every rule that fires."""
    rules = (
        (_not_finite, "ExplodingTensor", ("non_finite_loss", "non_finite_data", "diverged")),
        (_vanishing, "VanishingGradient", ("vanishing_gradient",)),
        (_dead, "DeadRelu", ("dead_relu",)),
        (_saturated, "SaturatedActivation", ("saturated_activation",)),
        (_poor_start, "PoorWeightInitialization", ("activation_scale_drift", "initial_loss_high")),
        (_unchanged, "UnchangedTensor", ("frozen_parameters",)),
        (_large_update, "WeightUpdateRatio (large)", ("update_ratio_high", "lr_too_high")),
        (_small_update, "WeightUpdateRatio (small)", ("update_ratio_low", "lr_too_low")),
        (
            _not_decreasing,
            "LossNotDecreasing",
            ("stuck_at_chance", "lr_too_low", "lr_too_high", "loss_rising", "underfitting"),
        ),
        (_overfit, "Overfit", ("overfitting",)),
        (_overtrained, "Overtraining", ("overtraining",)),
        (_imbalanced, "ClassImbalance", ("class_imbalance",)),
    )
    return [verdict(name, *codes) for fires, name, codes in rules if fires(run)]


def _not_finite(run: PeerEvidence) -> bool:
    tensors = [
        value for look in run.looks for each in run.weights(look) for value in each.values()
    ]
    return not all(map(math.isfinite, [*run.steps, *tensors]))


def _vanishing(run: PeerEvidence) -> bool:
    return any(
        each["mean_gradient"] < VANISHING for look in run.looks for each in run.weights(look)
    )


def _dead(run: PeerEvidence) -> bool:
    """More than half of a layer's units give nothing for the whole batch."""
    return any(
        each["kind"] == "ReLU" and each["zero_units"] > INACTIVE_LAYER
        for look in run.looks
        for each in run.activations(look)
    )


def _saturated(run: PeerEvidence) -> bool:
    return any(
        each.get("far", 0.0) > SATURATED_LAYER
        for look in run.looks
        for each in run.activations(look)
    )


def _poor_start(run: PeerEvidence) -> bool:
    """Layers' variances far apart, or hardly any spread of gradients, while it begins."""
    looks = [look for look in run.looks if look["iteration"] < INITIAL_STEPS]
    showing = 0
    for look in looks:
        weights = run.weights(look)
        variances = [each["variance"] for each in weights if each["variance"] > 0]
        apart = bool(variances) and max(variances) / min(variances) > VARIANCE_RATIO
        narrow = any(each["middle_range"] < GRADIENT_RANGE for each in weights)
        showing += apart or narrow
    return showing >= PATIENCE


def _unchanged(run: PeerEvidence) -> bool:
    return any(values and max(values) == 0.0 for values in run.update_ratios.values())


def _large_update(run: PeerEvidence) -> bool:
    return any(value > LARGE_UPDATE for each in run.update_ratios.values() for value in each)


def _small_update(run: PeerEvidence) -> bool:
    return any(0 < value < SMALL_UPDATE for each in run.update_ratios.values() for value in each)


def _not_decreasing(run: PeerEvidence) -> bool:
    """Over ten steps the loss fell by less than a thousandth."""
    kept = run.steps[::STEPS_APART]
    return any(after > before * (1 - LEAST_FALL) for before, after in pairwise(kept))


def _overfit(run: PeerEvidence) -> bool:
    pairs = zip(run.train_loss, run.val_loss, strict=False)
    return any(train > 0 and (val - train) / train > OVERFIT_RATIO for train, val in pairs)


def _overtrained(run: PeerEvidence) -> bool:
    return _idle(run.train_loss) >= TRAIN_PATIENCE or _idle(run.val_loss) >= VAL_PATIENCE


def _idle(losses: Sequence[float]) -> int:
    """Most epochs in a row without a gain that counts."""
    best, idle, longest = math.inf, 0, 0
    for loss in losses:
        if loss < best - LEAST_GAIN:
            best, idle = loss, 0
        else:
            idle += 1
        longest = max(longest, idle)
    return longest


def _imbalanced(run: PeerEvidence) -> bool:
    counts = [each for each in run.description.targets.class_counts if each]
    return len(counts) > 1 and max(counts) / min(counts) > IMBALANCE
