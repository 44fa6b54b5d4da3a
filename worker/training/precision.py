"""The precision that forwards compute in: the model's own, or bfloat16 where a task asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from recipes.task import Task


def in_precision(task: Task, forward: Callable[[Tensor], Any], inputs: Tensor) -> Any:
    """A forward's outputs, computed as the task's ``autocast`` says.

    Under autocast torch runs matrix products and convolutions in bfloat16 and the rest as it
    sees fit; weights, gradients and the optimiser stay in float32. No loss is scaled: bfloat16
    has float32's range (https://pytorch.org/docs/stable/amp.html). What comes out is made
    float32 again, so that losses and metrics lose nothing.

    Args:
        task: Says whether.
        forward: Inputs to outputs.
        inputs: On the device that computes.
    """
    if task.autocast is None:
        return forward(inputs)
    with torch.autocast(inputs.device.type, torch.bfloat16):
        outputs = forward(inputs)
    is_cast = isinstance(outputs, Tensor) and outputs.dtype == torch.bfloat16
    return outputs.float() if is_cast else outputs
