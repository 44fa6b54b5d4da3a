"""One member made ready to train: its model, loss and optimiser under its own seeds."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from recipes.run import MemberSpec, RunSpec
from recipes.task import Task
from worker.data.batches import BatchPlan, BatchSource, TrainingSample
from worker.data.data import TaskData
from worker.training.evaluation import evaluation_indices
from worker.training.hyperparameters import Hyperparameters
from worker.training.initialisation import initialise
from worker.training.losses import Loss, has_own_loss, mean_loss
from worker.training.metrics import batch_accuracy
from worker.training.optimizers import PlainOptimizer
from worker.training.regularisation import switch_off
from worker.training.seeding import initial_seed, seed_everything

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Member:
    """A group of one: what the loop needs of it.

    Attributes:
        loss: (output, target) -> scalar to minimise.
        accuracy: (output, target) -> share right in the batch; None: the kind has none.
        augment: (batch, generator) -> batch, training only; None: no augmentation.
        evaluated: What to evaluate: (split, samples, indices).
    """

    spec: MemberSpec
    hyperparameters: Hyperparameters
    model: nn.Module
    optimizer: PlainOptimizer
    loss: Loss
    accuracy: Callable[[Tensor, Tensor], Tensor] | None
    augment: Callable[[Batch, torch.Generator], Batch] | None
    sample: TrainingSample
    batches: BatchPlan
    evaluated: tuple[tuple[str, BatchSource, Tensor], ...]
    switched_off: tuple[str, ...]


def make_member(task: Task, data: TaskData, run: RunSpec, spec: MemberSpec) -> Member:
    """Build a member. Everything random in it follows from ``spec.seed``.

    Raises:
        ValueError: A hyperparameter, a split's name or the model does not fit.
    """
    hyperparameters = Hyperparameters.from_params(spec.params)
    augment = _augmentation(task, spec)
    switched_off: tuple[str, ...] = ()
    sample = TrainingSample(data, run.sample)
    model = make_model(task, spec, data, init=hyperparameters.init)
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
        accuracy=batch_accuracy(task),
        augment=augment,
        sample=sample,
        batches=BatchPlan.of_run(
            sample.num_samples,
            hyperparameters.batch_size,
            epochs=run.epochs,
            iterations=run.iterations,
        ),
        evaluated=tuple(
            (split, source, evaluation_indices(source.num_samples, at_most=run.evaluate_samples))
            for split in run.evaluate
            for source in [_evaluated_source(data, sample, split)]
        ),
        switched_off=switched_off,
    )


def make_model(task: Task, spec: MemberSpec, data: TaskData, *, init: str) -> nn.Module:
    """A fresh model on the data's device, drawn under the member's seed.

    Lazy layers get their shapes from one forward over two samples first.
    """
    seed_everything(initial_seed(spec.seed))
    model = task.model(MappingProxyType(spec.params)).to(data.device)
    if any(nn.parameter.is_lazy(parameter) for parameter in model.parameters()):
        model.eval()
        with torch.no_grad():
            model(data["train"].batch(torch.arange(min(2, data["train"].num_samples)))[0])
        model.train()
    initialise(model, init)
    return model


def _evaluated_source(data: TaskData, sample: TrainingSample, split: str) -> BatchSource:
    if split == "train":
        return sample
    if split not in data.splits:
        raise ValueError(
            f"evaluate: {split!r} does not fit; the task has {', '.join(data.splits)}"
        )
    return data[split]


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
