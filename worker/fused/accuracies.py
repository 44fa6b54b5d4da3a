"""The train accuracies of K members' iterations, scored together every few iterations."""

from __future__ import annotations

import torch
from torch import Tensor

from recipes.task import Task
from worker.training.metrics import (
    batch_accuracy,
    batch_shares,
    has_kinds_shape,
    has_own_form,
    has_single_labels,
)


class MemberAccuracies:
    """Keeps small outputs of single labels until they are read, and scores them at once.

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

    def add(self, outputs: Tensor, target: Tensor, *, is_shared: bool) -> None:
        """Take a batch in: outputs (K, B, ...), target (B, ...) or, each its own, (K, B, ...)."""
        if self._share is None:
            return
        its_target = target if is_shared else target[0]
        if self._has_own_form and not has_kinds_shape(self._task, outputs[0], its_target):
            self._share = None
            return
        outputs = outputs.detach()
        if self._has_single_labels and outputs.ndim == 3:
            self._outputs.append(outputs.argmax(2))
            self._targets.append(target)
            return
        targets = target.expand(len(outputs), *target.shape) if is_shared else target
        shares = [self._share(*each) for each in zip(outputs, targets, strict=True)]
        self._scored.append(torch.stack(shares))

    def read(self) -> list[list[float]] | None:
        """By iteration since the last time, each member's share right; None: the kind has none."""
        if self._share is None:
            return None
        if self._outputs:
            shares = _shares_right(self._outputs, self._targets)
            self._outputs.clear()
            self._targets.clear()
            return shares
        scored, self._scored = self._scored, []
        return torch.stack(scored).tolist() if scored else []


def _shares_right(classes: list[Tensor], targets: list[Tensor]) -> list[list[float]]:
    """In float32's precision, as one member's are.

    Args:
        classes: Those chosen, (K, B) each; B may differ.
        targets: (B,) or (K, B) each.
    """
    right = torch.cat([got == want for got, want in zip(classes, targets, strict=True)], 1)
    shares = batch_shares(right.cpu(), [each.shape[1] for each in classes])
    return shares.T.tolist()  # type: ignore[no-any-return]
