"""One member made ready to train: its model, loss and optimiser under its own seeds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from recipes.outcome import Evaluation
from recipes.run import MemberSpec, RunSpec
from recipes.space import Params
from recipes.task import Task
from worker.data.batches import BatchPlan, BatchSource, TrainingSample
from worker.data.data import TaskData
from worker.training.evaluation import evaluate, evaluation_indices
from worker.training.hyperparameters import Hyperparameters
from worker.training.initialisation import initialise
from worker.training.losses import Loss, has_own_loss, mean_loss
from worker.training.optimizers import PlainOptimizer
from worker.training.regularisation import switch_off
from worker.training.seeding import initial_seed, seed_everything

Batch = tuple[Tensor, Tensor]


class Evaluated(NamedTuple):
    """What one evaluation goes over. ``indices`` are int64 (N,), on the device."""

    split: str
    source: BatchSource
    indices: Tensor

    def evaluate(self, task: Task, model: nn.Module, *, iteration: int) -> Evaluation:
        """Evaluate a model after ``iteration`` optimiser steps."""
        return evaluate(
            task, model, self.source, self.indices, split=self.split, iteration=iteration
        )


@dataclass(frozen=True)
class Member:
    """A group of one: what the loop needs of it.

    Attributes:
        loss: (output, target) -> scalar to minimise.
        augment: (batch, generator) -> batch, training only; None: no augmentation.
        evaluated: What to evaluate as it goes.
        evaluated_at_best: What to evaluate once, whole, with the best epoch's weights.
    """

    spec: MemberSpec
    hyperparameters: Hyperparameters
    model: nn.Module
    optimizer: PlainOptimizer
    loss: Loss
    augment: Callable[[Batch, torch.Generator], Batch] | None
    sample: TrainingSample
    batches: BatchPlan
    evaluated: tuple[Evaluated, ...]
    evaluated_at_best: tuple[Evaluated, ...]
    switched_off: tuple[str, ...]


def make_member(task: Task, data: TaskData, run: RunSpec, spec: MemberSpec) -> Member:
    """Build a member. Everything random in it follows from ``spec.seed``.

    Raises:
        ValueError: A hyperparameter, a split's name or the model does not fit.
    """
    _check_run(run)
    hyperparameters = Hyperparameters.from_params(spec.params)
    augment = _augmentation(task, spec)
    switched_off: tuple[str, ...] = ()
    sample = TrainingSample(data, run.sample)
    model = make_model(
        task, spec.params, seed=spec.seed, init=hyperparameters.init, device=data.device
    )
    if run.memory_format == "channels_last":
        # What a convolution with such weights computes comes out in the same format.
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if not run.regularisation:
        hyperparameters, own = hyperparameters.without_regularisation()
        switched_off = own + (("augment",) if augment else ()) + switch_off(model)
        augment = None
    smoothing = hyperparameters.label_smoothing
    if smoothing and (has_own_loss(task) or task.kind != "classification"):
        raise ValueError(
            f"label_smoothing: {smoothing!r} does not fit; only the default classification"
            " loss knows it: set it to 0, or smooth in the task's own loss"
        )
    return Member(
        spec=spec,
        hyperparameters=hyperparameters,
        model=model,
        optimizer=PlainOptimizer(model.parameters(), hyperparameters.optimizer),
        loss=mean_loss(task, label_smoothing=smoothing),
        augment=augment,
        sample=sample,
        batches=BatchPlan.of_run(
            sample.num_samples,
            hyperparameters.batch_size,
            epochs=run.epochs,
            iterations=run.iterations,
        ),
        evaluated=evaluated_splits(data, sample, run.evaluate, at_most=run.evaluate_samples),
        evaluated_at_best=evaluated_splits(data, sample, run.evaluate_at_best, at_most=None),
        switched_off=switched_off,
    )


def _check_run(run: RunSpec) -> None:
    wants_best = run.keep_snapshot or run.evaluate_at_best
    if wants_best and run.iterations != 0 and "val" not in run.evaluate:
        raise ValueError(
            f"evaluate: {run.evaluate!r} does not fit; the best epoch is found on val:"
            " name it there, or ask for no snapshot and no evaluate_at_best"
        )


def make_model(
    task: Task, params: Params, *, seed: int, init: str, device: torch.device
) -> nn.Module:
    """A fresh model on the device, drawn under its member's seed."""
    seed_everything(initial_seed(seed))
    model = task.model(MappingProxyType(dict(params))).to(device)
    initialise(model, init)
    return model


def evaluated_splits(
    data: TaskData, sample: TrainingSample, splits: Sequence[str], *, at_most: int | None
) -> tuple[Evaluated, ...]:
    """What evaluations of these splits go over; ``train`` is the run's own sample.

    Args:
        data: The task's.
        sample: What the run trains on.
        splits: Names.
        at_most: Most samples of each; None: all of them.

    Raises:
        ValueError: The task has no such split.
    """
    found = []
    for split in splits:
        if split != "train" and split not in data.splits:
            raise ValueError(
                f"evaluate: {split!r} does not fit; the task has {', '.join(data.splits)}"
            )
        source: BatchSource = sample if split == "train" else data[split]
        indices = evaluation_indices(source.num_samples, at_most=at_most or source.num_samples)
        found.append(Evaluated(split, source, indices.to(data.device)))
    return tuple(found)


def _augmentation(
    task: Task, spec: MemberSpec
) -> Callable[[Batch, torch.Generator], Batch] | None:
    """The task's ``augment``, given the setting too where it has an argument ``params``."""
    own: Any = getattr(task, "augment", None)
    if own is None:
        return None
    if "params" not in inspect.signature(own).parameters:
        return own  # type: ignore[no-any-return]
    return lambda batch, generator: own(batch, generator, params=MappingProxyType(spec.params))
