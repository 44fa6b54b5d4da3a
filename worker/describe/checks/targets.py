"""The training targets: range, class counts, entropy."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from recipes.description import TargetDescription
from recipes.task import Task
from worker.describe.checks.inputs import first, non_finite_samples


def describe_targets(task: Task, targets: Tensor) -> TargetDescription:
    """Measure targets (N, ...). Positions with the task's ``ignore_index`` are left out."""
    not_finite = non_finite_samples(targets)
    out_of_range = samples_out_of_range(task, targets)
    counted = targets[~not_finite]
    if task.kind == "classification" and task.ignore_index is not None:
        counted = counted[counted != task.ignore_index]
    numbers = counted.double()
    measured = numbers.numel() > 0
    counts = _class_counts(task, counted)
    return TargetDescription(
        shape=tuple(targets.shape[1:]),
        dtype=str(targets.dtype).removeprefix("torch."),
        low=float(numbers.min()) if measured else math.nan,
        high=float(numbers.max()) if measured else math.nan,
        mean=float(numbers.mean()) if measured else math.nan,
        variance=float(numbers.var(correction=0)) if measured else math.nan,
        class_counts=tuple(counts),
        entropy=_entropy(task, counts, float(numbers.mean()) if measured else math.nan),
        num_out_of_range=int(out_of_range.sum()),
        first_out_of_range=first(out_of_range),
        num_non_finite=int(not_finite.sum()),
        first_non_finite=first(not_finite),
    )


def samples_out_of_range(task: Task, targets: Tensor) -> Tensor:
    """Which samples have a target its kind's loss cannot score: bool (N,).

    Classification: a class outside 0..C-1. Binary and multilabel: outside [0, 1].
    Non-finite targets are counted apart.
    """
    if task.kind == "classification":
        assert task.num_classes is not None, "the loader asks for num_classes"
        bad = (targets < 0) | (targets >= task.num_classes)
        if task.ignore_index is not None:
            bad &= targets != task.ignore_index
    elif task.kind in ("binary", "multilabel"):
        bad = (targets < 0) | (targets > 1)
    else:
        bad = torch.zeros_like(targets, dtype=torch.bool)
    return bad.reshape(len(targets), -1).any(1)


def _class_counts(task: Task, targets: Tensor) -> list[int]:
    if task.kind != "classification":
        return []
    assert task.num_classes is not None, "the loader asks for num_classes"
    inside = targets[(targets >= 0) & (targets < task.num_classes)]
    counts: list[int] = inside.flatten().bincount(minlength=task.num_classes).tolist()
    return counts


def _entropy(task: Task, counts: list[int], mean: float) -> float | None:
    """Entropy of the label distribution in nats, of the classes or of 0 and 1."""
    if task.kind == "binary":
        shares = [mean, 1 - mean]
    elif task.kind == "classification" and any(counts):
        total = sum(counts)
        shares = [count / total for count in counts]
    else:
        return None
    if not all(0 <= share <= 1 for share in shares):
        return None
    return math.fsum(-share * math.log(share) for share in shares if share > 0)
