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
            (0.7, 0.965),
            (0.8, 0.965),
            (0.9, 0.965),
        ),
        # 9 of 9
        "batch_mixing": ((0.95, 0.978),),
        # 3 of 3, 1 of 1
        "batch_norm_small_batch": (
            (0.9, 0.948),
            (0.95, 0.948),
        ),
        # 95 of 98
        "cannot_overfit": ((0.95, 0.959),),
        # 3 of 3, 10 of 10
        "class_imbalance": (
            (0.7, 0.961),
            (0.9, 0.969),
        ),
        # 1 of 1, 16 of 16, 12 of 12, 18 of 18
        "dead_relu": (
            (0.425, 0.948),
            (0.85, 0.973),
            (0.925, 0.973),
            (0.95, 0.974),
        ),
        # 18 of 19
        "diverged": ((0.95, 0.96),),
        # 4 of 4
        "double_softmax": ((0.98, 0.965),),
        # 0 of 1, 7 of 7
        "exploding_gradient": (
            (0.75, 0.781),
            (0.8, 0.965),
        ),
        # 28 of 28
        "frozen_parameters": ((0.95, 0.978),),
        # 3 of 3, 8 of 8
        "ignores_input": (
            (0.9, 0.955),
            (0.95, 0.976),
        ),
        # 48 of 48
        "initial_loss_high": ((0.9, 0.978),),
        # 18 of 18, 20 of 20
        "inputs_not_normalised": (
            (0.8, 0.978),
            (0.9, 0.978),
        ),
        # 4 of 4
        "labels_out_of_range": ((0.99, 0.965),),
        # 18 of 18
        "loss_rising": ((0.9, 0.978),),
        # 2 of 2, 15 of 16
        "loss_spikes": (
            (0.8, 0.952),
            (0.9, 0.952),
        ),
        # 2 of 3, 26 of 28
        "lr_too_high": (
            (0.6, 0.836),
            (0.9, 0.941),
        ),
        # 56 of 57, 9 of 9
        "lr_too_low": (
            (0.85, 0.97),
            (0.9, 0.974),
        ),
        # 9 of 9
        "missing_zero_grad": ((0.95, 0.978),),
        # 12 of 12, 9 of 9
        "noisy_labels": (
            (0.75, 0.974),
            (0.85, 0.976),
        ),
        # 14 of 14, 3 of 3
        "noisy_loss": (
            (0.8, 0.969),
            (0.9, 0.969),
        ),
        # 18 of 18
        "non_finite_data": ((0.99, 0.978),),
        # 8 of 8
        "non_finite_loss": ((0.95, 0.976),),
        # 10 of 10, 16 of 16
        "overfitting": (
            (0.8, 0.965),
            (0.95, 0.971),
        ),
        # 2 of 3, 17 of 17
        "overtraining": (
            (0.9, 0.836),
            (0.95, 0.976),
        ),
        # 18 of 18
        "penalty_in_loss": ((0.95, 0.978),),
        # 13 of 13
        "periodic_loss": ((0.8, 0.976),),
        # 8 of 8
        "saturated_activation": ((0.95, 0.965),),
        # 18 of 18
        "schedule_misfit": ((0.75, 0.978),),
        # 4 of 4, 64 of 64
        "small_validation_set": (
            (0.8, 0.961),
            (0.95, 0.971),
        ),
        # 22 of 23
        "still_improving": ((0.8, 0.942),),
        # 11 of 11, 8 of 8
        "stuck_at_chance": (
            (0.8, 0.967),
            (0.95, 0.967),
        ),
        # 9 of 9
        "sum_reduction": ((0.97, 0.978),),
        # 20 of 20, 19 of 19
        "train_eval_mismatch": (
            (0.85, 0.978),
            (0.9, 0.978),
        ),
        # 27 of 27
        "train_val_overlap": ((0.95, 0.978),),
        # 32 of 32, 8 of 8
        "underfitting": (
            (0.8, 0.974),
            (0.9, 0.974),
        ),
        # 5 of 5
        "update_ratio_low": ((0.6, 0.955),),
        # 4 of 4
        "val_below_chance": ((0.95, 0.965),),
        # 9 of 9
        "val_better_than_train": ((0.8, 0.969),),
        # 1 of 1, 9 of 9
        "vanishing_gradient": (
            (0.425, 0.948),
            (0.9, 0.965),
        ),
        # 9 of 9, 3 of 3
        "wrong_output_activation": (
            (0.9, 0.971),
            (0.95, 0.971),
        ),
    }
)
"""(score, share that is right) by code; in the comment, of how many findings."""
