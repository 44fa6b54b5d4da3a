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
            (0.7, 0.964),
            (0.8, 0.964),
            (0.9, 0.964),
        ),
        # 8 of 8
        "batch_mixing": ((0.95, 0.975),),
        # 3 of 3, 1 of 1
        "batch_norm_small_batch": (
            (0.9, 0.946),
            (0.95, 0.946),
        ),
        # 85 of 87
        "cannot_overfit": ((0.95, 0.962),),
        # 3 of 3, 8 of 8
        "class_imbalance": (
            (0.7, 0.96),
            (0.9, 0.964),
        ),
        # 1 of 1, 16 of 16, 12 of 12, 16 of 16
        "dead_relu": (
            (0.425, 0.946),
            (0.85, 0.972),
            (0.925, 0.972),
            (0.95, 0.972),
        ),
        # 15 of 15
        "diverged": ((0.95, 0.975),),
        # 3 of 3
        "double_softmax": ((0.98, 0.96),),
        # 7 of 7
        "exploding_gradient": ((0.8, 0.964),),
        # 24 of 24
        "frozen_parameters": ((0.95, 0.975),),
        # 3 of 3, 8 of 8
        "ignores_input": (
            (0.9, 0.954),
            (0.95, 0.975),
        ),
        # 44 of 44
        "initial_loss_high": ((0.9, 0.975),),
        # 16 of 16, 18 of 18
        "inputs_not_normalised": (
            (0.8, 0.975),
            (0.9, 0.975),
        ),
        # 3 of 3
        "labels_out_of_range": ((0.99, 0.96),),
        # 16 of 16
        "loss_rising": ((0.9, 0.975),),
        # 2 of 2, 13 of 14
        "loss_spikes": (
            (0.8, 0.949),
            (0.9, 0.949),
        ),
        # 2 of 3, 23 of 24
        "lr_too_high": (
            (0.6, 0.835),
            (0.9, 0.957),
        ),
        # 47 of 47, 9 of 9
        "lr_too_low": (
            (0.85, 0.974),
            (0.9, 0.974),
        ),
        # 8 of 8
        "missing_zero_grad": ((0.95, 0.975),),
        # 10 of 10, 8 of 8
        "noisy_labels": (
            (0.75, 0.971),
            (0.85, 0.973),
        ),
        # 12 of 12, 3 of 3
        "noisy_loss": (
            (0.8, 0.966),
            (0.9, 0.966),
        ),
        # 16 of 16
        "non_finite_data": ((0.99, 0.975),),
        # 7 of 7
        "non_finite_loss": ((0.95, 0.973),),
        # 8 of 8, 16 of 16
        "overfitting": (
            (0.8, 0.96),
            (0.95, 0.971),
        ),
        # 2 of 3, 14 of 14
        "overtraining": (
            (0.9, 0.835),
            (0.95, 0.973),
        ),
        # 16 of 16
        "penalty_in_loss": ((0.95, 0.975),),
        # 11 of 11
        "periodic_loss": ((0.8, 0.973),),
        # 8 of 8
        "saturated_activation": ((0.95, 0.964),),
        # 16 of 16
        "schedule_misfit": ((0.75, 0.975),),
        # 3 of 3, 63 of 63
        "small_validation_set": (
            (0.8, 0.954),
            (0.95, 0.968),
        ),
        # 16 of 17
        "still_improving": ((0.8, 0.937),),
        # 10 of 10, 7 of 7
        "stuck_at_chance": (
            (0.8, 0.962),
            (0.95, 0.962),
        ),
        # 8 of 8
        "sum_reduction": ((0.97, 0.975),),
        # 19 of 19, 17 of 17
        "train_eval_mismatch": (
            (0.85, 0.975),
            (0.9, 0.975),
        ),
        # 24 of 24
        "train_val_overlap": ((0.95, 0.975),),
        # 27 of 27, 8 of 8
        "underfitting": (
            (0.8, 0.972),
            (0.9, 0.972),
        ),
        # 3 of 3
        "val_below_chance": ((0.95, 0.96),),
        # 8 of 8
        "val_better_than_train": ((0.8, 0.964),),
        # 1 of 1, 9 of 9
        "vanishing_gradient": (
            (0.425, 0.946),
            (0.9, 0.964),
        ),
        # 8 of 8, 3 of 3
        "wrong_output_activation": (
            (0.9, 0.969),
            (0.95, 0.969),
        ),
    }
)
"""(score, share that is right) by code; in the comment, of how many findings."""
