"""What share of a code's findings is right, by their rule's score.

Written by ``python -m benchmarks.faults calibrate``; not by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CURVES: Mapping[str, tuple[tuple[float, float], ...]] = MappingProxyType(
    {
        # 4 of 4, 6 of 6, 18 of 18
        "activation_scale_drift": (
            (0.7, 0.995),
            (0.8, 0.996),
            (0.9, 0.998),
        ),
        # 8 of 8
        "batch_mixing": ((0.95, 0.997),),
        # 3 of 3, 1 of 1
        "batch_norm_small_batch": (
            (0.9, 0.994),
            (0.95, 0.994),
        ),
        # 85 of 87
        "cannot_overfit": ((0.95, 0.978),),
        # 3 of 3, 8 of 8
        "class_imbalance": (
            (0.7, 0.995),
            (0.9, 0.997),
        ),
        # 1 of 1, 16 of 16, 12 of 12, 16 of 16
        "dead_relu": (
            (0.425, 0.993),
            (0.85, 0.998),
            (0.925, 0.998),
            (0.95, 0.998),
        ),
        # 15 of 15
        "diverged": ((0.95, 0.998),),
        # 3 of 3
        "double_softmax": ((0.98, 0.995),),
        # 7 of 7
        "exploding_gradient": ((0.8, 0.997),),
        # 24 of 24
        "frozen_parameters": ((0.95, 0.999),),
        # 3 of 3, 8 of 8
        "ignores_input": (
            (0.9, 0.995),
            (0.95, 0.997),
        ),
        # 44 of 44
        "initial_loss_high": ((0.9, 0.999),),
        # 16 of 16, 18 of 18
        "inputs_not_normalised": (
            (0.8, 0.998),
            (0.9, 0.998),
        ),
        # 3 of 3
        "labels_out_of_range": ((0.99, 0.995),),
        # 16 of 16
        "loss_rising": ((0.9, 0.998),),
        # 2 of 2, 13 of 14
        "loss_spikes": (
            (0.8, 0.958),
            (0.9, 0.958),
        ),
        # 2 of 3, 23 of 24
        "lr_too_high": (
            (0.6, 0.87),
            (0.9, 0.964),
        ),
        # 47 of 47, 9 of 9
        "lr_too_low": (
            (0.85, 0.999),
            (0.9, 0.999),
        ),
        # 8 of 8
        "missing_zero_grad": ((0.95, 0.997),),
        # 10 of 10, 8 of 8
        "noisy_labels": (
            (0.75, 0.997),
            (0.85, 0.997),
        ),
        # 12 of 12, 3 of 3
        "noisy_loss": (
            (0.8, 0.997),
            (0.9, 0.997),
        ),
        # 16 of 16
        "non_finite_data": ((0.99, 0.998),),
        # 7 of 7
        "non_finite_loss": ((0.95, 0.997),),
        # 8 of 8, 16 of 16
        "overfitting": (
            (0.8, 0.997),
            (0.95, 0.998),
        ),
        # 2 of 3, 14 of 14
        "overtraining": (
            (0.9, 0.87),
            (0.95, 0.998),
        ),
        # 16 of 16
        "penalty_in_loss": ((0.95, 0.998),),
        # 11 of 11
        "periodic_loss": ((0.8, 0.997),),
        # 8 of 8
        "saturated_activation": ((0.95, 0.997),),
        # 16 of 16
        "schedule_misfit": ((0.75, 0.998),),
        # 3 of 3, 63 of 63
        "small_validation_set": (
            (0.8, 0.995),
            (0.95, 0.999),
        ),
        # 16 of 17
        "still_improving": ((0.8, 0.953),),
        # 10 of 10, 7 of 7
        "stuck_at_chance": (
            (0.8, 0.997),
            (0.95, 0.997),
        ),
        # 8 of 8
        "sum_reduction": ((0.97, 0.997),),
        # 19 of 19, 17 of 17
        "train_eval_mismatch": (
            (0.85, 0.998),
            (0.9, 0.998),
        ),
        # 24 of 24
        "train_val_overlap": ((0.95, 0.999),),
        # 27 of 27, 8 of 8
        "underfitting": (
            (0.8, 0.998),
            (0.9, 0.998),
        ),
        # 3 of 3
        "val_below_chance": ((0.95, 0.995),),
        # 8 of 8
        "val_better_than_train": ((0.8, 0.997),),
        # 1 of 1, 9 of 9
        "vanishing_gradient": (
            (0.425, 0.993),
            (0.9, 0.997),
        ),
        # 8 of 8, 3 of 3
        "wrong_output_activation": (
            (0.9, 0.996),
            (0.95, 0.996),
        ),
    }
)
"""(score, share that is right) by code; in the comment, of how many findings."""
