"""Rules in the manner of DeepDiagnosis (Wardat et al., ICSE 2022).

Restated in our own words from its paper and its code, with its thresholds (notes on
diagnosis, 1.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.faults.peers.evidence import PeerEvidence, Verdict, verdict

DEAD, SATURATED = 0.7, 0.5
VANISHING = 1e-7
LEAST_VARIANCE, LARGEST_VARIANCE = 1e-5, 10.0
HIGH_RATIO, LOW_RATIO = 1e-1, 1e-5
INPUT_RANGE = 1.0
OUTPUT_FACTOR = 10.0
SAME_FOR = 5
"""Epochs in a row whose loss or accuracy is the same to call it unchanged."""


def deepdiagnosis(run: PeerEvidence) -> list[Verdict]:
    """Every symptom it reports."""
    rules = (
        (_numerical(run), "numerical error", ("non_finite_loss", "non_finite_data", "diverged")),
        (_dead(run), "dead node", ("dead_relu",)),
        (_saturated(run), "saturated activation", ("saturated_activation",)),
        (_vanishing(run), "vanishing gradient", ("vanishing_gradient",)),
        (
            _bad_weights(run),
            "improper weights",
            ("activation_scale_drift", "initial_loss_high", "exploding_gradient"),
        ),
        (_ratio(run) > HIGH_RATIO, "rate too high", ("lr_too_high", "update_ratio_high")),
        (_ratio(run) < LOW_RATIO, "rate too low", ("lr_too_low", "update_ratio_low")),
        (_unscaled(run), "data not normalised", ("inputs_not_normalised",)),
        (
            _out_of_range(run),
            "output out of range",
            ("wrong_output_activation", "initial_loss_high"),
        ),
        (
            _same(run.train_loss) or _same(run.train_accuracy),
            "loss or accuracy unchanged",
            ("stuck_at_chance", "frozen_parameters", "lr_too_low", "constant_prediction"),
        ),
    )
    return [verdict(name, *codes) for fires, name, codes in rules if fires]


def _numerical(run: PeerEvidence) -> bool:
    return not all(map(math.isfinite, run.steps))


def _dead(run: PeerEvidence) -> bool:
    last = list(run.looks)[-1:]
    layers = [each for look in last for each in run.activations(look)]
    return any(each["kind"] == "ReLU" and each["not_positive"] >= DEAD for each in layers)


def _saturated(run: PeerEvidence) -> bool:
    layers = [each for look in run.looks for each in run.activations(look)]
    return any(each.get("steep", 0.0) > SATURATED for each in layers)


def _vanishing(run: PeerEvidence) -> bool:
    weights = [each for look in run.looks for each in run.weights(look)]
    return any(each["mean_gradient"] < VANISHING for each in weights)


def _bad_weights(run: PeerEvidence) -> bool:
    weights = [each for look in run.looks for each in run.weights(look)]
    return any(not LEAST_VARIANCE <= each["variance"] <= LARGEST_VARIANCE for each in weights)


def _ratio(run: PeerEvidence) -> float:
    """The median over tensors and looks; NaN when none was taken."""
    values = sorted(
        value for each in run.update_ratios.values() for value in each if math.isfinite(value)
    )
    return values[len(values) // 2] if values else math.nan


def _unscaled(run: PeerEvidence) -> bool:
    inputs = run.description.inputs
    return max(abs(inputs.low), abs(inputs.high)) > INPUT_RANGE


def _out_of_range(run: PeerEvidence) -> bool:
    """Outputs ten times as large as any target, where targets are values."""
    if run.description.kind != "regression" or not run.looks or not run.looks[-1]["layers"]:
        return False
    targets = run.description.targets
    largest = max(abs(targets.low), abs(targets.high))
    *_, last = run.looks[-1]["layers"].values()
    return bool(last["largest"] > OUTPUT_FACTOR * largest)


def _same(values: Sequence[float]) -> bool:
    return any(
        len(set(values[at : at + SAME_FOR])) == 1 for at in range(len(values) - SAME_FOR + 1)
    )
