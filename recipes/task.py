"""The user's learning problem: what a task file defines.

A task is a class in a file of the user's. It needs to import nothing else of ours.
Torch types stand here for the type checker alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from recipes.space import Categorical, Float, Int, Params

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.data import Dataset

Kind = Literal["classification", "binary", "multilabel", "regression", "custom"]
SplitName = Literal["train", "val", "test"]

RESERVED_PARAMETERS = frozenset(
    (
        *("lr", "weight_decay", "momentum", "nesterov", "beta1", "beta2", "optimizer"),
        "batch_size",
        *("schedule", "warmup", "grad_clip", "label_smoothing", "init"),
    )
)
"""Names with fixed meanings, known to the trainer. Every other name goes to ``model``."""


class Task:
    """One learning problem. Subclass it, and give at least ``data`` and ``model``.

    Inputs may be integers (tokens) or floats of any shape, first dimension the samples.
    Classification targets are int64 (N,) or (N, ...); binary and regression targets are
    floats of the outputs' shape; multilabel targets floats (N, C).
    """

    kind: Kind = "classification"
    num_classes: int | None = None
    """How many classes a classification task tells apart (C)."""
    space: ClassVar[Mapping[str, Float | Int | Categorical]]
    """What may vary. Left out: learning rate and weight decay."""
    expected_initial_loss: ClassVar[float | None] = None
    """The loss an untrained model should have, where the kind's own formula does not hold."""
    objective: ClassVar[tuple[str, Literal["maximize", "minimize"]]]
    """Which metric decides, and its direction. Left out: the kind's own."""
    ignore_index: ClassVar[int | None] = None
    """The target value that the task's loss leaves out, where it has one."""
    autocast: ClassVar[Literal["bfloat16"] | None] = None
    """``"bfloat16"``: the model computes under torch's autocast, in training and evaluation."""

    def data(self, split: SplitName) -> Dataset[Any] | tuple[Tensor, Tensor] | None:
        """The samples of a split: a dataset, a pair (inputs, targets), or None for "make one"."""
        raise NotImplementedError(f"{type(self).__name__} defines no data(split)")

    def model(self, params: Params) -> nn.Module:
        """A fresh model for a setting; ``params`` holds every name of the space."""
        raise NotImplementedError(f"{type(self).__name__} defines no model(params)")

    # Optional, looked for by name, so that their absence means "the kind's own":
    #   loss(self, output, target) -> Tensor                   a mean over the batch
    #   metrics(self, output, target) -> Mapping[str, float]   scalars, means over the batch
    #   augment(self, batch, generator) -> batch               training only
