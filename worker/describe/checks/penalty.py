"""The part of a task's own loss that comes from the weights rather than from the outputs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from worker.describe.checks.model import SEED
from worker.training.losses import Loss
from worker.training.seeding import seed_everything

GROWN = 1.1
"""Factor on all weights under which a penalty must grow: an L2 one does by 21 %, L1 by 10 %."""


@torch.no_grad()
def weight_penalty(
    model: nn.Module, loss: Loss, output: Tensor, targets: Tensor
) -> tuple[float, float]:
    """How much of the loss vanishes with the weights, and what it gains when they grow.

    The outputs are held, so whatever changes is a penalty: a loss of outputs and targets
    alone gives (0, 0). So does one that is not a number without weights. The weights are
    put back.

    Args:
        model: The model that ``output`` is of, the one the task's loss may look at.
        loss: The task's.
        output: (B, ...).
        targets: (B, ...).
    """
    parameters = list(model.parameters())
    kept = [each.clone() for each in parameters]

    def scaled(factor: float) -> float:
        for each, weights in zip(parameters, kept, strict=True):
            each.copy_(weights * factor)
        seed_everything(SEED)
        return float(loss(output, targets))

    try:
        without, usual, grown = scaled(0.0), scaled(1.0), scaled(GROWN)
    finally:
        for each, weights in zip(parameters, kept, strict=True):
            each.copy_(weights)
    penalty, growth = usual - without, grown - usual
    if not (math.isfinite(penalty) and math.isfinite(growth)):
        return 0.0, 0.0
    return penalty, growth
