"""Whether the model does the same again: in the other mode, and with its gradients cleared."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from worker.describe.checks.model import SEED, run_model
from worker.training.losses import Loss
from worker.training.probes import batch_statistics
from worker.training.seeding import seed_everything


@torch.no_grad()
def mode_difference(model: nn.Module, inputs: Tensor, *, file: str | None) -> float:
    """The largest difference between outputs in train and eval mode, in the outputs' sd.

    Called with the model's own dropout off. Batch norms use the batch's statistics in both
    passes, so that what is left comes from a forward that asks for the mode. 0 where the
    shapes differ: auxiliary outputs in train mode are meant. The running statistics stay.

    Args:
        inputs: (B, ...) on the model's device, B > 1.
        file: The task's file, for messages.
    """
    outputs = []
    for is_training in (True, False):
        model.train(is_training)
        with batch_statistics(model):
            seed_everything(SEED)
            outputs.append(run_model(model, inputs, file=file).double())
    train, own = outputs
    if train.shape != own.shape:
        return 0.0
    sd = float(train.std(correction=0))
    gap = float(torch.nan_to_num((train - own).abs()).max())
    return gap / sd if sd > 0 else gap


def gradient_growth(
    model: nn.Module, inputs: Tensor, targets: Tensor, *, loss: Loss, file: str | None
) -> float | None:
    """Norm of a gradient over that of the same gradient taken before, cleared in between.

    1 in a model that keeps nothing; None where there is no gradient. The model is left in
    train mode, its gradients cleared.

    Args:
        inputs: (B, ...) on the model's device, B > 1.
        targets: (B, ...).
        loss: The task's.
        file: The task's file, for messages.
    """
    model.train()
    norms = []
    for _ in range(2):
        model.zero_grad(set_to_none=True)
        seed_everything(SEED)
        with torch.enable_grad(), batch_statistics(model):
            value = loss(run_model(model, inputs, file=file), targets)
            if not value.requires_grad:
                return None
            value.backward()  # type: ignore[no-untyped-call]  # torch ships it untyped
        gradients = [each.grad for each in model.parameters() if each.grad is not None]
        norms.append(float(torch.stack([each.double().norm() for each in gradients]).norm()))
    model.zero_grad(set_to_none=True)
    first, second = norms
    ratio = second / first if first > 0 else math.nan
    return ratio if math.isfinite(ratio) else None


def smallest_momentum(model: nn.Module) -> float | None:
    """The smallest momentum of the batch norms that keep running statistics; None without any.

    In torch's sense: the new value's share. None of a norm's own is a running mean over
    all batches, and counts as 1.
    """
    norms = [
        each
        for each in model.modules()
        if isinstance(each, nn.modules.batchnorm._BatchNorm) and each.track_running_stats
    ]
    return min((1.0 if each.momentum is None else each.momentum for each in norms), default=None)
