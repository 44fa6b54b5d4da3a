"""A lean training loop in plain PyTorch: what somebody writes who needs no service.

The peers train with it, and every tool's chosen setting is trained again with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from recipes import Task
from recipes.space import Params
from worker.training.hyperparameters import Hyperparameters
from worker.training.initialisation import initialise
from worker.training.optimizers import OPTIMIZERS
from worker.training.schedules import rate_factor

CHUNK = 1_000
"""Samples an evaluation takes at once."""


class Epoch(NamedTuple):
    """A finished epoch, from 1, and its validation accuracy: a share."""

    number: int
    accuracy: float
    model: nn.Module


def epochs(task: Task, params: Params, *, seed: int, num_epochs: int) -> Iterator[Epoch]:
    """Train a setting from scratch; it ends early where the weights are no numbers any more.

    Args:
        task: Its default loss is taken: cross entropy.
        params: A setting; torch's native one-kernel optimiser.
        seed: Of the weights and of the order of the samples.
        num_epochs: Most to train.
    """
    torch.manual_seed(seed)
    inputs, targets = task.data("train")
    read = Hyperparameters.from_params(params)
    model = task.model(params)
    initialise(model, read.init)
    optimizer = OPTIMIZERS[read.optimizer.name](model.parameters(), read.optimizer, True)
    batches = math.ceil(len(targets) / read.batch_size)
    changes = read.schedule != "constant" or read.warmup > 0
    for epoch in range(num_epochs):
        model.train()
        for number, rows in enumerate(torch.randperm(len(targets)).split(read.batch_size)):
            if changes:
                factor = rate_factor(
                    read.schedule,
                    iteration=epoch * batches + number,
                    num_iterations=num_epochs * batches,
                    warmup=read.warmup,
                )
                optimizer.param_groups[0]["lr"] = read.optimizer.lr * factor
            loss = cross_entropy(
                model(inputs[rows]), targets[rows], label_smoothing=read.label_smoothing
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if read.grad_clip:
                clip_grad_norm_(model.parameters(), read.grad_clip)
            optimizer.step()
        yield Epoch(epoch + 1, accuracy(model, *task.data("val")), model)
        if not math.isfinite(loss.item()):
            return


@torch.no_grad()
def accuracy(model: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    """The share of samples that the model gets right."""
    model.eval()
    right = sum(
        int((model(x).argmax(1) == y).sum())
        for x, y in zip(inputs.split(CHUNK), targets.split(CHUNK), strict=True)
    )
    return right / len(targets)


def test_accuracy(task: Task, params: Params, *, seed: int, num_epochs: int) -> float:
    """On the test split, by the epoch that is best on validation."""
    best, found = -1.0, 0.0
    for epoch in epochs(task, params, seed=seed, num_epochs=num_epochs):
        if epoch.accuracy > best:
            best, found = epoch.accuracy, accuracy(epoch.model, *task.data("test"))
    return found
