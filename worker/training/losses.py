"""The loss of a task: its own method, or the default of its kind."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from recipes.task import Task

Loss = Callable[[Tensor, Tensor], Tensor]
IGNORE_NOTHING = -100
"""Torch's own default: a class index that does not occur."""


def mean_loss(task: Task, *, label_smoothing: float = 0.0) -> Loss:
    """(output, target) -> the scalar that training minimises.

    Cross-entropy on logits for classification (mean over samples, or over all positions
    that are not ignored), logistic loss on logits for binary and multilabel, squared
    error for regression.

    Raises:
        ValueError: A custom kind without a ``loss`` method.
    """
    if has_own_loss(task):
        return _checked(task)
    ignored = _ignored(task)

    def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            output, target, ignore_index=ignored, label_smoothing=label_smoothing
        )

    losses: dict[str, Loss] = {
        "classification": cross_entropy,
        "binary": _logistic,
        "multilabel": _logistic,
        "regression": _squared,
    }
    if task.kind not in losses:
        raise ValueError(
            f"kind: {task.kind!r} has no loss of its own;"
            f" define loss(self, output, target) in {type(task).__name__}"
        )
    return losses[task.kind]


def has_own_loss(task: Task) -> bool:
    """Whether the task defines ``loss(output, target)``."""
    return callable(getattr(task, "loss", None))


def sample_losses(task: Task, output: Tensor, target: Tensor) -> Tensor:
    """The default loss of each sample, (N,): a mean over its outputs or positions.

    NaN for a sample all of whose positions are ignored. Without label smoothing, so
    that trials compare.
    """
    if task.kind == "classification":
        losses = F.cross_entropy(output, target, ignore_index=_ignored(task), reduction="none")
        return mean_per_sample(losses, valid_positions(task, target))
    if task.kind == "regression":
        return mean_per_sample((output - target).square())
    return mean_per_sample(F.binary_cross_entropy_with_logits(output, target, reduction="none"))


def valid_positions(task: Task, target: Tensor) -> Tensor | None:
    """Which class targets count; None: all of them."""
    return None if task.ignore_index is None else target != task.ignore_index


def mean_per_sample(values: Tensor, valid: Tensor | None = None) -> Tensor:
    """(N, ...) -> (N,): the mean over the (valid) positions; NaN where there is none."""
    if valid is None:
        return values if values.ndim == 1 else values.flatten(1).mean(1)
    if values.ndim == 1:
        values, valid = values[:, None], valid[:, None]
    weights = valid.flatten(1).to(values.dtype)
    return (values.flatten(1) * weights).sum(1) / weights.sum(1)


def _ignored(task: Task) -> int:
    return IGNORE_NOTHING if task.ignore_index is None else task.ignore_index


def _logistic(output: Tensor, target: Tensor) -> Tensor:
    _check_shapes(output, target)
    return F.binary_cross_entropy_with_logits(output, target)


def _squared(output: Tensor, target: Tensor) -> Tensor:
    _check_shapes(output, target)
    return (output - target).square().mean()


def _check_shapes(output: Tensor, target: Tensor) -> None:
    """Broadcasting (N, 1) against (N,) would train quietly on nonsense."""
    if output.shape != target.shape:
        raise ValueError(
            f"the model's output has shape {tuple(output.shape)}, its targets"
            f" {tuple(target.shape)}; make them the same"
        )


def _checked(task: Task) -> Loss:
    own: Loss = task.loss  # type: ignore[attr-defined]

    def loss(output: Tensor, target: Tensor) -> Tensor:
        value = own(output, target)
        if not isinstance(value, Tensor) or value.numel() != 1:
            found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
            raise ValueError(
                f"{type(task).__name__}.loss returned {found}; return a scalar tensor,"
                " the mean over the batch"
            )
        return value.reshape(())

    return loss
