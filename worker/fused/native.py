"""Torch's one-kernel optimiser steps, once for each member's row of every parameter.

A row fits in the processor's cache, so K calls of a native kernel beat one update written as
operations over [K, ...] (two to four times as fast on a CPU). They are private functions of
torch: the first time one is asked for it takes two steps beside ``torch.optim``, and
``native_step`` answers None where it is missing, takes other arguments or does something else.
On a GPU, where a call costs a launch, they are not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from worker.training.optimizers import (
    ADAGRAD_EPS,
    ADAM_EPS,
    OptimizerSettings,
    PlainOptimizer,
)

TOLERANCE = 1e-12
"""Largest difference from torch's optimiser, in float64, of weights about 1."""
Rows = list[Tensor]


class MemberRows(NamedTuple):
    """One member's part of a step: a row of every parameter that has a gradient.

    Attributes:
        slots: The optimiser's state by name, rows in the order of ``parameters``.
        steps: Updates done with this one, () each; torch reads them from tensors.
    """

    parameters: Rows
    gradients: Rows
    slots: Mapping[str, Rows]
    steps: Rows


NativeStep = Callable[[MemberRows, OptimizerSettings, float], None]
"""(rows, settings, learning rate with its schedule's factor) -> updated in place."""


def native_step(name: str, parameters: Sequence[Tensor]) -> NativeStep | None:
    """The native step of an optimiser for such parameters; None where torch has none."""
    fits = all(each.is_cpu and each.is_floating_point() for each in parameters)
    return _STEPS.get(name) if fits and is_as_known(name) else None


@cache
def is_as_known(name: str) -> bool:
    """Whether an optimiser's native step does what torch's optimiser does."""
    step = _STEPS.get(name)
    if step is None:
        return False
    settings = OptimizerSettings(name, lr=0.1, weight_decay=0.1, momentum=0.9)
    start = torch.linspace(-1, 1, 5, dtype=torch.float64)
    weights = nn.Parameter(start.clone())
    plain = PlainOptimizer([weights], settings)
    ours, gradient = start.clone(), start.flip(0) + 0.1
    slots = {slot: [torch.zeros_like(ours)] for slot in SLOTS[name]}
    try:
        for number in (1.0, 2.0):
            rows = MemberRows([ours], [gradient], slots, [torch.tensor(number)])
            step(rows, settings, settings.lr)
            weights.grad = gradient.clone()
            plain.step()
    except Exception:  # another torch's arguments: whatever it raises, it is not the one known
        return False
    return torch.allclose(ours, weights.detach(), rtol=0.0, atol=TOLERANCE)


def _sgd(rows: MemberRows, settings: OptimizerSettings, lr: float) -> None:
    has_momentum = settings.momentum != 0
    torch._fused_sgd_(
        rows.parameters,
        rows.gradients,
        rows.slots["momentum_buffer"] if has_momentum else [],
        weight_decay=settings.weight_decay,
        momentum=settings.momentum,
        lr=lr,
        dampening=0.0,
        nesterov=settings.nesterov and has_momentum,
        maximize=False,
        is_first_step=False,  # the buffers begin as zeros, which comes to the same
    )


def _adagrad(rows: MemberRows, settings: OptimizerSettings, lr: float) -> None:
    torch._fused_adagrad_(
        rows.parameters,
        rows.gradients,
        rows.slots["sum"],
        rows.steps,
        lr=lr,
        lr_decay=0.0,
        weight_decay=settings.weight_decay,
        eps=ADAGRAD_EPS,
        maximize=False,
    )


def _adam(rows: MemberRows, settings: OptimizerSettings, lr: float) -> None:
    kernel = torch._fused_adamw_ if settings.name == "adamw" else torch._fused_adam_
    kernel(
        rows.parameters,
        rows.gradients,
        rows.slots["exp_avg"],
        rows.slots["exp_avg_sq"],
        [],
        rows.steps,
        amsgrad=False,
        lr=lr,
        beta1=settings.beta1,
        beta2=settings.beta2,
        weight_decay=settings.weight_decay,
        eps=ADAM_EPS,
        maximize=False,
    )


_STEPS: dict[str, NativeStep] = {
    "sgd": _sgd,
    "adagrad": _adagrad,
    "adam": _adam,
    "adamw": _adam,
}
SLOTS: dict[str, tuple[str, ...]] = {
    "sgd": ("momentum_buffer",),
    "adagrad": ("sum",),
    "rmsprop": ("square_avg", "momentum_buffer"),
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
}
"""The state of each optimiser, under torch's names."""
