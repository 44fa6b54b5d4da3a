"""What is right and how good: the default metrics of a kind, sample by sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipes.task import Task
from worker.training.losses import mean_per_sample, valid_positions

KINDS_WITH_ACCURACY = ("classification", "binary", "multilabel")
DECISION_THRESHOLD = 0.5
"""A binary target above this is a 1; for a model's logit that is a threshold of 0."""

MAX_WAITING_VALUES = 65_536
"""Most values of a batch's outputs that are kept until ten iterations are scored together."""


def has_own_form(task: Task) -> bool:
    """Whether a task's outputs may have any shape: it has a loss and metrics of its own."""
    return task.kind == "custom" or (hasattr(task, "loss") and hasattr(task, "metrics"))


def kinds_shape(task: Task, target: Tensor) -> tuple[int | None, ...]:
    """The shape that a kind's loss and metrics need outputs to have, for targets (N, ...)."""
    if task.kind == "classification":
        return (len(target), task.num_classes, *target.shape[1:])
    return tuple(target.shape)


def has_kinds_shape(task: Task, output: Tensor, target: Tensor) -> bool:
    """Whether a batch's outputs have it. Others would broadcast, or raise."""
    return tuple(output.shape) == kinds_shape(task, target)


def correct_shares(task: Task, output: Tensor, target: Tensor) -> Tensor:
    """Each sample's share of right answers, (N,): 0 or 1 where it has one answer.

    Classification: the largest logit along dimension 1, over positions that are not
    ignored (NaN where none is left). Binary and multilabel: the logit's sign.
    """
    if task.kind == "classification":
        right = output.argmax(1) == target
        return mean_per_sample(right.to(output.dtype), valid_positions(task, target))
    right = (output > 0) == (target > DECISION_THRESHOLD)
    return mean_per_sample(right.to(output.dtype))


def batch_accuracy(task: Task) -> Callable[[Tensor, Tensor], Tensor] | None:
    """(output, target) -> share of right answers in the batch, a scalar; None: no such thing."""
    if task.kind not in KINDS_WITH_ACCURACY:
        return None

    def share_of_samples(output: Tensor, target: Tensor) -> Tensor:
        return correct_shares(task, output.detach(), target).nanmean()

    def share_of_single_labels(output: Tensor, target: Tensor) -> Tensor:
        # The same in two kernels less: it runs at every iteration.
        return (output.detach().argmax(1) == target).mean(dtype=torch.float32)

    return share_of_single_labels if has_single_labels(task) else share_of_samples


def has_single_labels(task: Task) -> bool:
    """Whether every sample has one class, and all count."""
    return task.kind == "classification" and task.ignore_index is None


class AccuracyMeter:
    """The train accuracies of iterations, scored together where that is cheaper.

    Scoring each batch by itself takes a tenth of a small net's iteration (digits, batch 64,
    one CPU thread). Small outputs of single labels on the CPU are kept instead; the
    numbers are the same. On other devices a compiled model may reuse its output's memory.

    Args:
        task: Its kind says whether there is such a thing, and in the end its outputs' shape.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._has_own_form = has_own_form(task)
        self._share = batch_accuracy(task)
        self._has_single_labels = has_single_labels(task)
        self._outputs: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._scored: list[Tensor] = []
        self._shares: list[float] = []

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch in."""
        if self._share is None:
            return
        if self._has_own_form and not has_kinds_shape(self._task, output, target):
            self._share = None
            return
        if (
            self._has_single_labels
            and output.ndim == 2
            and output.numel() <= MAX_WAITING_VALUES
            and output.is_cpu
        ):
            self._outputs.append(output.detach())
            self._targets.append(target)
        else:
            self._score()  # what came before comes first
            self._scored.append(self._share(output, target))

    def read(self) -> list[float] | None:
        """The share right of each batch since the last time; None: the kind has none."""
        if self._share is None:
            return None
        self._score()
        shares, self._shares = self._shares, []
        return shares

    def _score(self) -> None:
        if self._scored:
            self._shares += torch.stack(self._scored).tolist()
            self._scored.clear()
        if self._outputs:
            self._shares += shares_of_single_labels(self._outputs, self._targets)
            self._outputs.clear()
            self._targets.clear()


def shares_of_single_labels(outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> list[float]:
    """The share right of each batch, in float32's precision, as ``batch_accuracy`` gives it.

    Args:
        outputs: Logits (N, C) of each batch; N may differ.
        targets: Classes (N,) of each batch, on the CPU like the logits.
    """
    right = torch.cat(list(outputs)).argmax(1) == torch.cat(list(targets))
    shares: list[float] = batch_shares(right, [len(target) for target in targets]).tolist()
    return shares


def batch_shares(right: Tensor, sizes: Sequence[int]) -> NDArray[np.float32]:
    """The share right of each batch, in float32's precision.

    Args:
        right: Of the samples of all batches one after another, bool (..., N).
        sizes: Samples of each batch, N in all.

    Returns:
        (..., number of batches).
    """
    counts = np.array(sizes)
    starts = counts.cumsum() - counts
    num_right = np.add.reduceat(right.numpy().view(np.uint8), starts, axis=-1, dtype=np.int64)
    shares: NDArray[np.float32] = np.divide(num_right, counts, dtype=np.float32)
    return shares
