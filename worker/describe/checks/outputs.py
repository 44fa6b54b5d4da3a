"""The model's outputs for a small batch, and the loss on them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes.description import OutputDescription
from recipes.task import Task
from worker.describe.checks.model import SEED, run_model
from worker.training.losses import IGNORE_NOTHING, Loss
from worker.training.seeding import seed_everything

SUM_TOLERANCE = 1e-3
"""Rows whose sums lie this close to 1 are probabilities (a float16 softmax is)."""
EQUAL_LOSSES = 1e-4
"""Relative difference under which two ways to the same float32 loss are one."""
SAME_OUTPUT = 1e-4
"""Difference, in the outputs' own sd, under which two passes gave the same output. Kernels
that round differently stay under 1e-5; a mistake moves outputs by a good part of an sd."""

DRAWS = 10
DRAWN_SD = 0.1
"""Draws of all weights, and their sd: a clip of the outputs shows in all of them, while of one
linear output a draw is all positive at most every second time, all ten once in a thousand."""

GROWN = 100.0
"""Factor on all weights that carries any logit worth the name (0.01 and more) out of [0, 1]."""


def describe_outputs(
    task: Task,
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    loss: Loss | None,
    file: str | None,
) -> OutputDescription:
    """Measure the outputs in eval mode; ``train_passes_differ`` is measured apart.

    Args:
        task: The task.
        model: Its model.
        inputs: (B, ...) on the model's device.
        targets: (B, ...) on the model's device.
        loss: The task's loss; None when it cannot be taken here.
        file: The task's file, for messages.
    """
    model.eval()
    with torch.no_grad():
        seed_everything(SEED)
        output = run_model(model, inputs, file=file)
        return OutputDescription(
            shape=tuple(output.shape[1:]),
            rows_sum_to_one=_rows_sum_to_one(output),
            in_unit_interval=_in_unit_interval(output),
            stays_in_unit_interval=_in_unit_interval(output)
            and _stays_in_unit_interval(model, inputs, file=file),
            never_negative=bool((output >= 0).all()),
            stays_non_negative=bool((output >= 0).all())
            and _stays_non_negative(model, inputs, file=file),
            zero_share=float((output == 0).double().mean()),
            mixes_batch=_mixes_batch(model, inputs, output, file=file),
            loss_is_cross_entropy=loss is not None
            and _is_cross_entropy(task, loss, output, targets),
            loss_ratio_when_doubled=None if loss is None else _ratio(loss, output, targets),
            train_passes_differ=False,
        )


def train_passes_differ(model: nn.Module, inputs: Tensor, *, file: str | None) -> bool:
    """Whether two passes in train mode give different outputs for the same inputs.

    Called after the known sources of randomness were switched off, it tells of the
    others. Batch norm does not count: it uses the batch's own statistics.
    """
    model.train()
    with torch.no_grad():
        passes = []
        for seed in (SEED, SEED + 1):
            seed_everything(seed)
            passes.append(run_model(model, inputs, file=file))
    return _differ(passes[0], passes[1])


def _rows_sum_to_one(output: Tensor) -> bool:
    if output.ndim < 2 or output.shape[1] < 2:
        return False
    sums = output.float().sum(1)
    return _in_unit_interval(output) and bool(((sums - 1).abs() < SUM_TOLERANCE).all())


def _in_unit_interval(output: Tensor) -> bool:
    return bool(((output >= 0) & (output <= 1)).all())


def _stays_in_unit_interval(model: nn.Module, inputs: Tensor, *, file: str | None) -> bool:
    """Whether outputs stay in [0, 1] when all weights grow: only a squashing function does that.

    An untrained linear layer's small outputs may all lie there by chance. The weights are
    put back.
    """
    with _weights_put_back(model) as parameters:
        for each in parameters:
            each.mul_(GROWN)
        seed_everything(SEED)
        return _in_unit_interval(run_model(model, inputs, file=file))


def _stays_non_negative(model: nn.Module, inputs: Tensor, *, file: str | None) -> bool:
    """Whether no output is negative under any of some weights drawn at random.

    Where a linear layer ends the model, half of the draws give a negative bias alone.
    """
    with _weights_put_back(model) as parameters:
        for draw in range(DRAWS):
            seed_everything(SEED + draw)
            for each in parameters:
                each.copy_(DRAWN_SD * torch.randn_like(each))
            if not bool((run_model(model, inputs, file=file) >= 0).all()):
                return False
    return True


@contextmanager
def _weights_put_back(model: nn.Module) -> Iterator[list[nn.Parameter]]:
    """The parameters, to be changed; they are as they were afterwards."""
    parameters = list(model.parameters())
    kept = [each.clone() for each in parameters]
    try:
        yield parameters
    finally:
        for each, weights in zip(parameters, kept, strict=True):
            each.copy_(weights)


def _mixes_batch(model: nn.Module, inputs: Tensor, output: Tensor, *, file: str | None) -> bool:
    """Whether an output changes when every sample but its own is replaced by another.

    A replacement shows what the gradient of output i with respect to input j shows, for
    token inputs too, and where a backward pass in eval mode is not possible (cuDNN's
    recurrent layers). Each pass starts from one seed, so dropout that is left on draws
    the same masks.
    """
    num = len(inputs)
    for row in {0, num // 2, num - 1}:
        replaced = inputs.roll(1, dims=0)
        replaced[row] = inputs[row]
        seed_everything(SEED)
        if _differ(run_model(model, replaced, file=file)[row], output[row], scale=output):
            return True
    return False


def _is_cross_entropy(task: Task, loss: Loss, output: Tensor, targets: Tensor) -> bool:
    if task.kind != "classification":
        return False
    ignored = IGNORE_NOTHING if task.ignore_index is None else task.ignore_index
    try:
        expected = float(F.cross_entropy(output, targets, ignore_index=ignored))
    except (RuntimeError, IndexError, ValueError):
        return False  # the task's own loss takes outputs that cross-entropy cannot
    return math.isclose(float(loss(output, targets)), expected, rel_tol=EQUAL_LOSSES)


def _ratio(loss: Loss, output: Tensor, targets: Tensor) -> float | None:
    once = float(loss(output, targets))
    twice = float(loss(torch.cat([output, output]), torch.cat([targets, targets])))
    ratio = twice / once if once else math.nan
    return ratio if math.isfinite(ratio) else None


def _differ(one: Tensor, other: Tensor, *, scale: Tensor | None = None) -> bool:
    """Whether two outputs differ by more than rounding. NaN equals NaN."""
    reference = (one if scale is None else scale).float()
    sd = float(reference.std(correction=0))
    unit = sd if math.isfinite(sd) and sd > 0 else 1.0
    gap = torch.nan_to_num((one.float() - other.float()).abs())
    return bool((gap > SAME_OUTPUT * unit).any())
