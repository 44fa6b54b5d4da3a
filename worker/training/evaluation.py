"""One pass over a fixed sample of a split in eval mode."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recipes.outcome import Evaluation, Moments
from recipes.task import Task
from worker.data.batches import BatchSource
from worker.training.losses import has_own_loss, mean_loss, sample_losses, valid_positions
from worker.training.metrics import (
    KINDS_WITH_ACCURACY,
    correct_shares,
    has_kinds_shape,
    has_own_form,
)
from worker.training.precision import in_precision

BATCH_SIZE = 512
"""Samples in one forward. Larger gains nothing, and a convolution's activations would leave a
processor's cache (digits ConvNet: 1,024 take 1.6 times as long each)."""
MIN_GROUPS = 16
"""Batches a task's own loss or metrics are taken over, so that their spread is known."""
FEWEST_IN_GROUP = 2
"""Samples of such a batch, where there are so many: of one alone many a metric says nothing."""
SAMPLE_SEED = 7
"""Draws the fixed samples: a constant, so that all studies on the same data compare."""


def evaluation_indices(num_samples: int, *, at_most: int) -> Tensor:
    """The samples of a split that every evaluation uses, int64 (N,) ascending, on the CPU."""
    if num_samples <= at_most:
        return torch.arange(num_samples)
    return _permutation(num_samples)[:at_most].sort().values


def _permutation(num: int) -> Tensor:
    """A fixed one."""
    return torch.randperm(num, generator=torch.Generator().manual_seed(SAMPLE_SEED))


def chunks(indices: Tensor, *, size: int) -> Iterator[Tensor]:
    """The indices in pieces of ``size``, the last one smaller."""
    for start in range(0, len(indices), size):
        yield indices[start : start + size]


@torch.no_grad()  # no inference mode: a tensor that a forward keeps must do for training too
def evaluate(
    task: Task,
    model: nn.Module,
    samples: BatchSource,
    indices: Tensor,
    *,
    split: str,
    iteration: int,
) -> Evaluation:
    """Loss and metrics of a model in eval mode; its mode is put back afterwards.

    Per sample, in float64: the kind's default loss (without label smoothing), accuracy,
    for regression ``mse`` and ``r2``. A task's own ``loss`` and ``metrics`` give batch
    means only; they are taken over MIN_GROUPS batches or more (fewer of hardly any samples),
    drawn at random because data often lie in order of their classes, and their moments say
    what independent samples with that spread would.

    Samples whose targets are all ignored are left out.
    """
    was_training = model.training
    model.eval()
    evaluations = evaluate_members(
        task,
        lambda inputs: _of_one(in_precision(task, model, inputs)),
        samples,
        indices,
        split=split,
        iteration=iteration,
    )
    model.train(was_training)
    return evaluations[0]


def _of_one(output: Any) -> Tensor | list[Any]:
    return output.unsqueeze(0) if isinstance(output, Tensor) else [output]


def evaluate_members(
    task: Task,
    outputs_of: Callable[[Tensor], Tensor | list[Any]],
    samples: BatchSource,
    indices: Tensor,
    *,
    split: str,
    iteration: int,
    batch_size: int = BATCH_SIZE,
) -> list[Evaluation]:
    """``evaluate`` for K models at once.

    Args:
        task: Whose kind, loss and metrics count.
        outputs_of: Inputs (N, ...) to the models' outputs (K, N, ...), in eval mode; of a kind
            of the task's own they may be K of anything.
        samples: The split's.
        indices: Which of them, int64 (N,).
        split: Its name.
        iteration: Optimiser steps done.
        batch_size: Samples in one forward, where values are taken sample by sample.
    """
    has_group_means = has_own_loss(task) or callable(getattr(task, "metrics", None))
    order = _permutation(len(indices)) if has_group_means else None
    parts: Iterable[Tensor]
    if order is None:
        parts = chunks(indices, size=batch_size)
    else:
        parts = indices[order.to(indices.device)].tensor_split(_num_groups(len(indices)))
    tally = _Tally(task)
    for chunk in parts:
        inputs, target = samples.batch(chunk)
        tally.add(outputs_of(inputs), target)
    return [
        Evaluation(split=split, iteration=iteration, metrics=moments, correct=bitmap)
        for moments, bitmap in zip(tally.moments(), tally.bitmaps(order), strict=True)
    ]


def _num_groups(num_samples: int) -> int:
    """Into how many batches samples are parted, as evenly as it goes, for means over batches."""
    wanted = max(MIN_GROUPS, math.ceil(num_samples / BATCH_SIZE))
    return max(1, min(wanted, num_samples // FEWEST_IN_GROUP))


class _Tally:
    """Per-sample values and batch means of K models, batch by batch."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._own_loss = mean_loss(task) if has_own_loss(task) else None
        self._own_metrics = getattr(task, "metrics", None)
        self._num_models = 0
        self._values: dict[str, list[Tensor]] = {}
        self._means: list[dict[str, list[tuple[float, int]]]] = []
        self._right: list[Tensor] = []
        self._targets: list[Tensor] = []

    def add(self, outputs: Tensor | list[Any], target: Tensor) -> None:
        """Take a batch in: outputs (K, N, ...), or K of a custom task's; target (N, ...)."""
        scored = _scored(self._task, target)
        if not self._means:
            self._num_models = len(outputs)
            self._means = [{} for _ in range(len(outputs))]
        if self._own_loss is not None:
            for means, output in zip(self._means, outputs, strict=True):
                _add_mean(means, "loss", float(self._own_loss(output, target)), len(target))
        if isinstance(outputs, Tensor) and self._are_kinds(outputs, target):
            self._add_samples(outputs, target, scored)
        if callable(self._own_metrics):
            for means, output in zip(self._means, outputs, strict=True):
                own: Mapping[str, float] = self._own_metrics(output, target)
                for name, value in own.items():
                    _add_mean(means, name, float(value), len(target))

    def _add_samples(self, outputs: Tensor, target: Tensor, scored: Tensor | None) -> None:
        """What the task's kind says of each sample."""
        task = self._task
        # The models' outputs one after another: what is taken sample by sample knows no more.
        flat = outputs.flatten(0, 1)
        targets = target.expand(len(outputs), *target.shape).flatten(0, 1)
        if self._own_loss is None:
            self._value("loss", sample_losses(task, flat, targets), scored)
        if task.kind in KINDS_WITH_ACCURACY:
            shares = correct_shares(task, flat, targets)
            self._value("accuracy", shares, scored)
            if task.kind != "multilabel" and target.numel() == len(target):
                self._right.append((shares == 1).view(self._num_models, -1).cpu())
        elif task.kind == "regression":
            errors = (flat - targets).double().square()
            self._value("mse", errors.reshape(len(targets), -1).mean(1))
            self._targets.append(target.double().reshape(len(target), -1).cpu())

    def _are_kinds(self, outputs: Tensor, target: Tensor) -> bool:
        """Whether the kind's own values are defined for these outputs (K, N, ...)."""
        return not has_own_form(self._task) or has_kinds_shape(self._task, outputs[0], target)

    def moments(self) -> list[dict[str, Moments]]:
        """Every metric's, of each model; the task's own replace the kind's of the same name."""
        values = {name: torch.cat(parts, 1).double().cpu() for name, parts in self._values.items()}
        if self._targets:
            values["r2"] = _r2_shares(values["mse"], torch.cat(self._targets))
        return [
            {name: sample_moments(each[model]) for name, each in values.items()}
            | {name: group_moments(parts) for name, parts in means.items()}
            for model, means in enumerate(self._means)
        ]

    def bitmaps(self, order: Tensor | None) -> list[str | None]:
        """Which samples each model got right, base64 of bits, first sample in the highest bit.

        ``order`` says at which place of the sample each one added stands; None: its own.
        """
        if not self._right:
            return [None] * self._num_models
        right = torch.cat(self._right, 1)
        bits = np.packbits((right if order is None else right[:, order.argsort()]).numpy(), axis=1)
        return [base64.b64encode(each.tobytes()).decode("ascii") for each in bits]

    def _value(self, name: str, values: Tensor, scored: Tensor | None = None) -> None:
        each = values.view(self._num_models, -1)
        self._values.setdefault(name, []).append(each if scored is None else each[:, scored])


def _add_mean(
    means: dict[str, list[tuple[float, int]]], name: str, value: float, num_samples: int
) -> None:
    means.setdefault(name, []).append((value, num_samples))


def sample_moments(values: Tensor) -> Moments:
    """Moments of one value a sample, float64 (N,)."""
    return Moments(
        total=float(values.sum()), total_squares=float(values.square().sum()), n=len(values)
    )


def group_moments(means: list[tuple[float, int]]) -> Moments:
    """Moments over samples of which only group means, with the groups' sizes, are known.

    A mean of b independent samples has 1/b of their variance, so the variance over
    samples is estimated by sum_g n_g (m_g - m)^2 / (G - 1) (one-way analysis of variance,
    between groups). One group alone says nothing of it: then the variance is NaN.
    """
    n = sum(size for _, size in means)
    total = math.fsum(mean * size for mean, size in means)
    if len(means) < 2 or not math.isfinite(total):
        return Moments(total=total, total_squares=math.nan, n=n)
    mean = total / n
    variance = math.fsum(size * (m - mean) ** 2 for m, size in means) / (len(means) - 1)
    return Moments(total=total, total_squares=n * mean * mean + (n - 1) * variance, n=n)


def _r2_shares(errors: Tensor, targets: Tensor) -> Tensor:
    """One value a sample whose mean is R^2 = 1 - (residual / total sum of squares).

    1 - error_i / V, V the targets' mean variance over their outputs in this sample. V is
    taken as known, so the standard error leaves out its own uncertainty. Of targets that
    are all the same R^2 is 1 where every output is right and else 0, as scikit-learn has it.
    """
    if bool((targets == targets[:1]).all()):
        return errors * 0 + (errors == 0).all(1, keepdim=True)  # what is not finite stays so
    return 1 - errors / targets.var(0, correction=0).mean()


def _scored(task: Task, target: Tensor) -> Tensor | None:
    """Which samples have a target that counts, bool (N,); None: all of them."""
    valid = valid_positions(task, target)
    if task.kind != "classification" or valid is None:
        return None
    return valid.reshape(len(target), -1).any(1)
