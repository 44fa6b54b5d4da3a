"""What is right and how good: the default metrics of a kind, sample by sample."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from recipes.task import Task
from worker.training.losses import mean_per_sample, valid_positions

KINDS_WITH_ACCURACY = ("classification", "binary", "multilabel")
DECISION_THRESHOLD = 0.5
"""A binary target above this is a 1; for a model's logit that is a threshold of 0."""


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

    has_single_labels = task.kind == "classification" and task.ignore_index is None
    return share_of_single_labels if has_single_labels else share_of_samples
