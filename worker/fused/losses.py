"""The losses of K members on a batch, for kinds whose loss is known at once, else mapped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from recipes.task import Task
from worker.training.losses import Loss, has_own_loss, mean_loss
from worker.training.metrics import has_single_labels


class MemberLosses:
    """The task's loss of each member; they may differ in label smoothing.

    Cross-entropy with a smoothing s is (1 - s) times that without and s times that with
    nothing but smoothing, by its definition (Szegedy et al. 2016, section 7).

    Args:
        task: Theirs.
        smoothings: Their label smoothing.
    """

    def __init__(self, task: Task, smoothings: Sequence[float]) -> None:
        self._has_single_labels = has_single_labels(task) and not has_own_loss(task)
        self._smoothings = list(smoothings)
        self._weights: Tensor | None = None
        assert not (has_own_loss(task) and any(smoothings)), "only the default loss knows it"
        self._sharp = mean_loss(task)
        self._smooth = mean_loss(task, label_smoothing=1.0)

    def keep(self, rows: Sequence[int]) -> None:
        """Cut to the members of these rows."""
        self._smoothings = [self._smoothings[row] for row in rows]
        self._weights = None

    def of(self, outputs: Tensor, target: Tensor, *, is_shared: bool) -> Tensor:
        """(K,): of outputs (K, B, ...) and a target (B, ...), or (K, B, ...)."""
        if self._has_single_labels and outputs.ndim == 3:
            return self._cross_entropy(outputs, target, is_shared=is_shared)
        batch = None if is_shared else 0

        def means(loss: Loss) -> Tensor:
            losses: Tensor = torch.vmap(loss, in_dims=(0, batch))(outputs, target)
            return losses

        return self._mixed(means(self._sharp), lambda: means(self._smooth))

    def _cross_entropy(self, outputs: Tensor, target: Tensor, *, is_shared: bool) -> Tensor:
        num_members, num_samples, _ = outputs.shape
        labels = target.expand(num_members, -1) if is_shared else target
        flat, wanted = outputs.flatten(0, 1), labels.reshape(-1)

        def means(smoothing: float) -> Tensor:
            losses = F.cross_entropy(flat, wanted, reduction="none", label_smoothing=smoothing)
            return losses.view(num_members, num_samples).mean(1)

        return self._mixed(means(0.0), lambda: means(1.0))

    def _mixed(self, sharp: Tensor, smooth: Callable[[], Tensor]) -> Tensor:
        """By one formula whatever the others' smoothing is; with 0 it gives ``sharp``'s bits."""
        if not any(self._smoothings):
            return sharp
        known = self._weights
        if known is None or (known.dtype, known.device) != (sharp.dtype, sharp.device):
            self._weights = known = sharp.new_tensor(self._smoothings)
        return torch.lerp(sharp, smooth(), known)
