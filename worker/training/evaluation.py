"""One pass over a fixed sample of a split in eval mode."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from recipes.outcome import Evaluation, Moments
from recipes.task import Task
from worker.data.batches import BatchSource
from worker.training.losses import has_own_loss, mean_loss, sample_losses, valid_positions
from worker.training.metrics import KINDS_WITH_ACCURACY, correct_shares

BATCH_SIZE = 1_024
"""Samples in one forward. Without gradients memory is small, and larger gains nothing."""
MIN_GROUPS = 16
"""Batches a task's own loss or metrics are taken over, so that their spread is known."""
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


@torch.inference_mode()
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
    means only; they are taken over at least MIN_GROUPS batches, drawn at random where
    there are samples enough (data often lie in order of their classes), and their moments
    say what independent samples with that spread would.

    Samples whose targets are all ignored are left out.
    """
    has_group_means = has_own_loss(task) or callable(getattr(task, "metrics", None))
    size, order = BATCH_SIZE, None
    if has_group_means:
        size = min(BATCH_SIZE, math.ceil(len(indices) / MIN_GROUPS))
        order = _permutation(len(indices))
        indices = indices[order.to(indices.device)]
    tally = _Tally(task)
    was_training = model.training
    model.eval()
    for chunk in chunks(indices, size=size):
        inputs, target = samples.batch(chunk)
        tally.add(model(inputs), target)
    model.train(was_training)
    return Evaluation(
        split=split, iteration=iteration, metrics=tally.moments(), correct=tally.bitmap(order)
    )


class _Tally:
    """Per-sample values and batch means, batch by batch."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._own_loss = mean_loss(task) if has_own_loss(task) else None
        self._own_metrics = getattr(task, "metrics", None)
        self._values: dict[str, list[Tensor]] = {}
        self._means: dict[str, list[tuple[float, int]]] = {}
        self._right: list[Tensor] = []
        self._targets: list[Tensor] = []

    def add(self, output: Tensor, target: Tensor) -> None:
        task, scored = self._task, _scored(self._task, target)
        if self._own_loss is None:
            self._value("loss", sample_losses(task, output, target), scored)
        else:
            self._mean("loss", float(self._own_loss(output, target)), len(target))
        if task.kind in KINDS_WITH_ACCURACY:
            shares = correct_shares(task, output, target)
            self._value("accuracy", shares, scored)
            if task.kind != "multilabel" and target.numel() == len(target):
                self._right.append((shares == 1).cpu())
        elif task.kind == "regression":
            errors = (output - target).double().square()
            self._value("mse", errors.reshape(len(target), -1).mean(1))
            self._targets.append(target.double().reshape(len(target), -1).cpu())
        if callable(self._own_metrics):
            own: Mapping[str, float] = self._own_metrics(output, target)
            for name, value in own.items():
                self._mean(name, float(value), len(target))

    def moments(self) -> dict[str, Moments]:
        """Every metric's; the task's own replace the kind's of the same name."""
        values = {name: torch.cat(parts).double().cpu() for name, parts in self._values.items()}
        if self._targets:
            values["r2"] = _r2_shares(values["mse"], torch.cat(self._targets))
        metrics = {name: sample_moments(parts) for name, parts in values.items()}
        return metrics | {name: group_moments(parts) for name, parts in self._means.items()}

    def bitmap(self, order: Tensor | None) -> str | None:
        """Which samples were right, base64 of bits, first sample in the highest bit.

        ``order`` says at which place of the sample each one added stands; None: its own.
        """
        if not self._right:
            return None
        right = torch.cat(self._right)
        bits = np.packbits((right if order is None else right[order.argsort()]).numpy())
        return base64.b64encode(bits.tobytes()).decode("ascii")

    def _value(self, name: str, values: Tensor, scored: Tensor | None = None) -> None:
        kept = values if scored is None else values[scored]
        self._values.setdefault(name, []).append(kept)

    def _mean(self, name: str, value: float, num_samples: int) -> None:
        self._means.setdefault(name, []).append((value, num_samples))


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
    taken as known, so the standard error leaves out its own uncertainty.
    """
    return 1 - errors / targets.var(0, correction=0).mean()


def _scored(task: Task, target: Tensor) -> Tensor | None:
    """Which samples have a target that counts, bool (N,); None: all of them."""
    valid = valid_positions(task, target)
    if task.kind != "classification" or valid is None:
        return None
    return valid.reshape(len(target), -1).any(1)
