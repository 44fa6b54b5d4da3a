"""What the trainer does where neither the task's space nor the study says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from recipes.space import ParameterValue

DEFAULT_PARAMS: Mapping[str, ParameterValue] = MappingProxyType(
    {
        "lr": 1e-2,
        "weight_decay": 0.0,
        "momentum": 0.9,
        "nesterov": False,
        "beta1": 0.9,
        "beta2": 0.999,
        "optimizer": "sgd",
        "batch_size": 64,
        "schedule": "constant",
        "warmup": 0.0,
        "grad_clip": 0.0,  # 0: no clipping
        "label_smoothing": 0.0,
        "init": "default",  # the module's own
    }
)
"""A value for every reserved name. SGD with momentum 0.9 and Adam's betas are the CS231n
notes' defaults (cs231n.github.io/neural-networks-3); the rest switches nothing on."""
