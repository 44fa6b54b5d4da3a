"""What other tools' rules look at: the run's curves as Keras would log them, and its tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recipes.description import TaskDescription
from recipes.step import TrialResult


@dataclass(frozen=True)
class PeerEvidence:
    """One run, as its training loop would show it.

    Attributes:
        steps: Train loss by iteration (thinned to about 2,000).
        train_loss: By epoch: the mean of its iterations, in training mode, as Keras has it.
        val_loss: After each epoch.
        train_accuracy: Likewise, as shares; empty where the task has no accuracy.
        val_accuracy: Likewise.
        update_ratios: By weight tensor, norm of update over norm of weight, in order.
        looks: The onlooker's records (``benchmarks.faults.watch``).
    """

    description: TaskDescription
    lr: float
    optimizer: str
    steps: Sequence[float] = ()
    train_loss: Sequence[float] = ()
    val_loss: Sequence[float] = ()
    train_accuracy: Sequence[float] = ()
    val_accuracy: Sequence[float] = ()
    update_ratios: Mapping[str, Sequence[float]] = field(default_factory=dict)
    looks: Sequence[Mapping[str, Any]] = ()

    @property
    def epochs(self) -> int:
        """Whole epochs."""
        return len(self.val_loss)

    def weights(self, look: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The weight tensors of one look, biases left out, first layer first."""
        return [each for each in look["parameters"].values() if each["ndim"] > 1]

    def activations(self, look: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The layers of one look that are an activation."""
        kinds = ("ReLU", "Sigmoid", "Tanh", "GELU")
        return [each for each in look["layers"].values() if each["kind"] in kinds]


@dataclass(frozen=True)
class Verdict:
    """What a tool said.

    Attributes:
        name: The tool's own word.
        codes: Our codes for what it means: right when one of them is.
    """

    name: str
    codes: frozenset[str]


Judge = Callable[[PeerEvidence], list[Verdict]]


def verdict(name: str, *codes: str) -> Verdict:
    """A verdict with our words for it."""
    return Verdict(name, frozenset(codes))


def peer_evidence(
    description: TaskDescription, run: TrialResult, looks: Sequence[Mapping[str, Any]]
) -> PeerEvidence:
    """Reduce a run to what the tools look at."""
    loss = run.curve("loss")
    accuracy = run.curve("accuracy")
    ends = [each.iteration for each in run.outcome.on("val")[1:]]
    names = [metric for metric, _ in run.curves if metric.startswith("update_ratio/")]
    lr = run.params.get("lr", math.nan)
    return PeerEvidence(
        description=description,
        lr=float(lr),
        optimizer=str(run.params.get("optimizer", "sgd")),
        steps=loss.values,
        train_loss=_by_epoch(loss.iterations, loss.values, ends),
        val_loss=[each.loss.mean for each in run.outcome.on("val")[1:]],
        train_accuracy=_by_epoch(accuracy.iterations, accuracy.values, ends),
        val_accuracy=[
            each.metrics["accuracy"].mean
            for each in run.outcome.on("val")[1:]
            if "accuracy" in each.metrics
        ],
        update_ratios={name.partition("/")[2]: run.curve(name).values for name in names},
        looks=looks,
    )


def _by_epoch(
    iterations: Sequence[int], values: Sequence[float], ends: Sequence[int]
) -> list[float]:
    """Means of the points of each epoch; an epoch without points repeats the one before."""
    means: list[float] = []
    begin = 0
    for end in ends:
        own = [v for at, v in zip(iterations, values, strict=True) if begin <= at < end]
        means.append(sum(own) / len(own) if own else means[-1] if means else math.nan)
        begin = end
    return means if values else []
