"""What share of a code's findings is right, by their rule's score.

Written by ``python -m benchmarks.faults calibrate``; not by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CURVES: Mapping[str, tuple[tuple[float, float], ...]] = MappingProxyType(
    {
        # 9 of 9, 12 of 12, 39 of 39
        "activation_scale_drift": (
            (0.7, 0.992),
            (0.8, 0.993),
            (0.9, 0.997),
        ),
        # 15 of 15
        "batch_mixing": ((0.95, 0.994),),
        # 145 of 147
        "cannot_overfit": ((0.95, 0.986),),
        # 3 of 3, 14 of 14
        "class_imbalance": (
            (0.7, 0.986),
            (0.9, 0.994),
        ),
        # 2 of 2, 22 of 22, 11 of 12, 56 of 56
        "dead_relu": (
            (0.425, 0.974),
            (0.85, 0.974),
            (0.925, 0.974),
            (0.95, 0.998),
        ),
        # 26 of 28
        "diverged": ((0.95, 0.936),),
        # 9 of 9
        "double_softmax": ((0.98, 0.992),),
        # 16 of 16
        "exploding_gradient": ((0.8, 0.994),),
        # 1 of 1, 2 of 2
        "flat_then_drop": (
            (0.4, 0.981),
            (0.9, 0.983),
        ),
        # 42 of 42
        "frozen_parameters": ((0.95, 0.998),),
        # 7 of 9, 13 of 13
        "ignores_input": (
            (0.9, 0.849),
            (0.95, 0.994),
        ),
        # 82 of 82
        "initial_loss_high": ((0.9, 0.999),),
        # 19 of 19
        "initial_loss_low": ((0.7, 0.995),),
        # 24 of 24, 30 of 30
        "inputs_not_normalised": (
            (0.8, 0.996),
            (0.9, 0.997),
        ),
        # 9 of 9
        "labels_out_of_range": ((0.99, 0.992),),
        # 29 of 29
        "loss_rising": ((0.9, 0.997),),
        # 1 of 1, 2 of 2, 10 of 10
        "loss_spikes": (
            (0.4, 0.981),
            (0.8, 0.983),
            (0.9, 0.992),
        ),
        # 5 of 5, 8 of 8
        "lr_too_high": (
            (0.6, 0.988),
            (0.9, 0.991),
        ),
        # 87 of 89, 13 of 14
        "lr_too_low": (
            (0.85, 0.971),
            (0.9, 0.971),
        ),
        # 14 of 14
        "missing_zero_grad": ((0.95, 0.994),),
        # 19 of 19, 8 of 8
        "noisy_labels": (
            (0.75, 0.994),
            (0.85, 0.994),
        ),
        # 4 of 4, 2 of 2
        "noisy_loss": (
            (0.8, 0.986),
            (0.9, 0.986),
        ),
        # 24 of 24
        "non_finite_data": ((0.99, 0.996),),
        # 14 of 14
        "non_finite_loss": ((0.95, 0.994),),
        # 8 of 8, 34 of 35
        "overfitting": (
            (0.8, 0.977),
            (0.95, 0.977),
        ),
        # 1 of 1, 4 of 5, 25 of 29
        "overtraining": (
            (0.7, 0.893),
            (0.9, 0.893),
            (0.95, 0.893),
        ),
        # 19 of 19
        "penalty_in_loss": ((0.95, 0.995),),
        # 8 of 8
        "periodic_loss": ((0.8, 0.991),),
        # 1 of 1, 18 of 18
        "saturated_activation": (
            (0.8, 0.981),
            (0.95, 0.995),
        ),
        # 28 of 28
        "schedule_misfit": ((0.75, 0.996),),
        # 16 of 17, 64 of 64
        "small_validation_set": (
            (0.8, 0.949),
            (0.95, 0.998),
        ),
        # 36 of 36
        "still_improving": ((0.8, 0.997),),
        # 7 of 9, 12 of 12
        "stuck_at_chance": (
            (0.8, 0.849),
            (0.95, 0.993),
        ),
        # 15 of 15
        "sum_reduction": ((0.97, 0.994),),
        # 20 of 25, 27 of 27
        "train_eval_mismatch": (
            (0.85, 0.829),
            (0.9, 0.996),
        ),
        # 39 of 39
        "train_val_overlap": ((0.95, 0.997),),
        # 40 of 43, 11 of 11
        "underfitting": (
            (0.8, 0.935),
            (0.9, 0.993),
        ),
        # 8 of 8, 1 of 1
        "update_ratio_low": (
            (0.6, 0.988),
            (0.9, 0.988),
        ),
        # 5 of 6
        "val_below_chance": ((0.95, 0.899),),
        # 18 of 18
        "val_better_than_train": ((0.8, 0.995),),
        # 1 of 1, 18 of 18
        "vanishing_gradient": (
            (0.425, 0.981),
            (0.9, 0.995),
        ),
        # 12 of 12, 4 of 4
        "wrong_output_activation": (
            (0.9, 0.991),
            (0.95, 0.991),
        ),
    }
)
"""(score, share that is right) by code; in the comment, of how many findings."""
