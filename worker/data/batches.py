"""Which samples a run trains on, and in which batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from recipes.run import Sample
from worker.data.data import TaskData
from worker.training.seeding import batch_order


class BatchSource(Protocol):
    """Samples that can be fetched by index: a split, or a part of one."""

    @property
    def num_samples(self) -> int:
        """How many there are."""
        ...

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets, on the device, of int64 indices (N,) in 0..num_samples-1."""
        ...


class TrainingSample:
    """The training samples a run sees: all of them, or a stratified few.

    Attributes:
        num_samples: How many.
        digest: SHA-256 of their indices in the training split, int64, ascending.
    """

    def __init__(self, data: TaskData, sample: Sample) -> None:
        self._split = data["train"]
        self._zero_inputs = sample.zero_inputs
        everything = self._split.num_samples
        if sample.num_samples is None or sample.num_samples >= everything:
            indices = torch.arange(everything)
        else:
            drawn = data.stratified_indices("train", sample.num_samples, sample.seed)
            indices = drawn.cpu().sort().values
        self.num_samples = len(indices)
        self.digest = hashlib.sha256(indices.numpy().astype("<i8").tobytes()).hexdigest()
        self._indices = indices.to(data.device) if self.num_samples < everything else None

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets of positions 0..num_samples-1 in this sample."""
        if self._indices is not None:
            indices = self._indices[indices]
        inputs, targets = self._split.batch(indices)
        return (torch.zeros_like(inputs) if self._zero_inputs else inputs), targets


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How a run goes through its sample: epochs of fresh permutations, cut into batches.

    An epoch's last batch may be smaller. A last batch of one sample is left out, for
    batch norm's sake, unless all batches are of one.

    Attributes:
        batch_size: Samples a batch, at most the sample's own number.
        num_iterations: Optimiser steps of the whole run.
    """

    num_samples: int
    batch_size: int
    num_iterations: int

    @classmethod
    def of_run(
        cls, num_samples: int, batch_size: int, *, epochs: int | None, iterations: int | None
    ) -> BatchPlan:
        """The plan of a run that is given in epochs or in iterations."""
        plan = cls(num_samples, min(batch_size, num_samples), iterations or 0)
        if epochs is None:
            return plan
        return cls(num_samples, plan.batch_size, epochs * plan.batches_per_epoch)

    @property
    def batches_per_epoch(self) -> int:
        """Optimiser steps of one whole epoch."""
        whole, rest = divmod(self.num_samples, self.batch_size)
        return whole + (rest > 1)

    @property
    def num_epochs(self) -> int:
        """Epochs begun; the last may be cut by the number of iterations."""
        return -(-self.num_iterations // self.batches_per_epoch)

    def batches(self, data_seed: int, *, epoch: int, device: torch.device) -> Iterator[Tensor]:
        """The batches of one epoch as positions in the sample, int64 on the device."""
        order = batch_order(data_seed, epoch=epoch, num_samples=self.num_samples).to(device)
        num_left = self.num_iterations - epoch * self.batches_per_epoch
        for number in range(min(self.batches_per_epoch, num_left)):
            yield order[number * self.batch_size : (number + 1) * self.batch_size]
