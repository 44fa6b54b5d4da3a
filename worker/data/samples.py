"""Samples in memory or fetched one by one: what a task's ``data`` becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from worker.describe.errors import TaskError, describe_exception, raised, task_error

MAX_HELD_BYTES = 2 * 1024**3
"""Most bytes of one split held on the device; larger splits are fetched batch by batch."""
MAX_FETCHED = 1_000
"""Samples of a split too large to hold that are decoded to be looked at."""
MAX_FETCHED_BYTES = 512 * 1024**2
"""Most bytes of those: large images are looked at in smaller number."""


class Samples(Protocol):
    """A split's samples, in a fixed order."""

    @property
    def num_samples(self) -> int:
        """How many there are."""
        ...

    @property
    def labels(self) -> Tensor | None:
        """All targets (N, ...), on the CPU; None where they are not known without decoding."""
        ...

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (B, ...) and targets (B, ...) of these samples, on the device."""
        ...

    def look(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets to look at: all that are held, else the first few."""
        ...

    def subset(self, rows: Tensor) -> Samples:
        """These samples alone, in this order; ``rows`` is int64 on the CPU."""
        ...


@dataclass(frozen=True)
class TensorSamples:
    """Samples held as two tensors on the device: indexed there, never copied again."""

    inputs: Tensor
    targets: Tensor

    @property
    def num_samples(self) -> int:
        """How many there are."""
        return len(self.inputs)

    @property
    def labels(self) -> Tensor | None:
        """All targets, on the CPU."""
        return self.targets.cpu()

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets of these samples."""
        rows = indices.to(self.inputs.device, non_blocking=True)
        # Twice as fast as self.inputs[rows]: whole rows are copied, not elements.
        return self.inputs.index_select(0, rows), self.targets.index_select(0, rows)

    def look(self) -> tuple[Tensor, Tensor]:
        """All of them, without a copy."""
        return self.inputs, self.targets

    def subset(self, rows: Tensor) -> TensorSamples:
        """These samples alone."""
        return TensorSamples(*self.batch(rows))


@dataclass(frozen=True)
class FetchedSamples:
    """Samples of a dataset too large to hold: decoded each time they are asked for.

    ``labels`` are known where the dataset lists them itself (``targets``, as
    torchvision's do).
    """

    dataset: Any
    rows: Tensor
    labels: Tensor | None
    device: torch.device
    split: str
    file: str | None

    @property
    def num_samples(self) -> int:
        """How many there are."""
        return len(self.rows)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets of these samples, decoded now.

        Raises:
            TaskError: The dataset raised, or gave something that is not a pair of tensors.
        """
        rows = self.rows[indices.cpu()].tolist()
        pairs = [_fetch(self.dataset, row, self.split, self.file) for row in rows]
        inputs = _narrow(torch.stack([pair[0] for pair in pairs]))
        targets = _target_type(torch.stack([pair[1] for pair in pairs]))
        return (
            inputs.to(self.device, non_blocking=True),
            targets.to(self.device, non_blocking=True),
        )

    def look(self) -> tuple[Tensor, Tensor]:
        """The first MAX_FETCHED, or as many as MAX_FETCHED_BYTES hold."""
        first, _ = self.batch(torch.arange(1))
        most = min(MAX_FETCHED, MAX_FETCHED_BYTES // max(first.nbytes, 1))
        return self.batch(torch.arange(min(max(most, 1), self.num_samples)))

    def subset(self, rows: Tensor) -> FetchedSamples:
        """These samples alone."""
        labels = None if self.labels is None else self.labels[rows]
        return FetchedSamples(
            self.dataset, self.rows[rows], labels, self.device, self.split, self.file
        )


def take(returned: Any, split: str, device: torch.device, *, file: str | None) -> Samples:
    """What ``data(split)`` returned, as samples.

    Args:
        returned: A pair of tensors or NumPy arrays, or a map-style dataset of pairs.
        split: The split's name, for messages.
        device: Where batches shall be.
        file: The task's file, for messages.

    Raises:
        TaskError: It is neither, a sample cannot be read, samples differ in shape, or
            inputs and targets differ in number.
    """
    if isinstance(returned, TensorDataset):
        returned = tuple(returned.tensors)
    if isinstance(returned, (tuple, list)) and any(
        isinstance(part, (Tensor, np.ndarray)) for part in returned
    ):
        return _take_pair(returned, split, device, file)
    problem = _not_a_dataset(returned)
    if problem:
        what, cure = problem
        raise task_error(f'data("{split}") returned {what}', cure=cure, file=file)
    return _take_dataset(returned, split, device, file)


def _take_pair(returned: Any, split: str, device: torch.device, file: str | None) -> Samples:
    if len(returned) != 2:
        raise task_error(
            f'data("{split}") returned {len(returned)} tensors',
            cure="return two: (inputs, targets)",
            file=file,
        )
    try:
        inputs, targets = (_tensor(part) for part in returned)
    except (TypeError, ValueError, RuntimeError) as error:
        raise raised(
            error,
            f'data("{split}") returned a pair that does not convert to tensors',
            cure="return (inputs, targets), both torch tensors or NumPy arrays of numbers",
            file=file,
        ) from error
    for name, tensor in (("inputs", inputs), ("targets", targets)):
        if tensor.ndim == 0:
            raise task_error(
                f'data("{split}") returned {name} without a dimension',
                cure="let the first dimension be the samples",
                file=file,
            )
    if len(inputs) != len(targets):
        raise task_error(
            f'data("{split}") returned {len(inputs)} inputs and {len(targets)} targets',
            cure="return one target for each input, in the same order",
            file=file,
        )
    return TensorSamples(_narrow(inputs).to(device), _target_type(targets).to(device))


def _not_a_dataset(returned: Any) -> tuple[str, str] | None:
    what = f"a {type(returned).__name__}"
    cure = "return a torch Dataset of (input, target), a pair (inputs, targets), or None"
    if isinstance(returned, DataLoader):
        return what, "return the dataset itself; Sevenstep makes the batches"
    if isinstance(returned, IterableDataset):
        return what, "return a map-style dataset, with __len__ and __getitem__"
    if isinstance(returned, (Tensor, np.ndarray)):
        return f"one {type(returned).__name__}", cure
    if isinstance(returned, (str, bytes, dict)) or not (
        hasattr(returned, "__len__") and hasattr(returned, "__getitem__")
    ):
        return what, cure
    return None


def _take_dataset(dataset: Any, split: str, device: torch.device, file: str | None) -> Samples:
    try:
        num_samples = len(dataset)
    except Exception as error:
        raise raised(
            error,
            f'len() of data("{split}") raised',
            cure="return a map-style dataset, with __len__ and __getitem__",
            file=file,
        ) from error
    if num_samples == 0:
        return TensorSamples(torch.empty(0), torch.empty(0))
    first = _fetch(dataset, 0, split, file)
    size = sum(part.numel() * part.element_size() for part in first) * num_samples
    if size > MAX_HELD_BYTES:
        labels = _listed_labels(dataset, num_samples, first[1])
        return FetchedSamples(dataset, torch.arange(num_samples), labels, device, split, file)
    inputs = torch.empty((num_samples, *first[0].shape), dtype=first[0].dtype)
    targets = torch.empty((num_samples, *first[1].shape), dtype=first[1].dtype)
    for row in range(num_samples):
        pair = _fetch(dataset, row, split, file)
        for name, part, like in zip(("input", "target"), pair, first, strict=True):
            if part.shape != like.shape or part.dtype != like.dtype:
                raise task_error(
                    f'data("{split}"): the {name} of sample {row} is {_form(part)},'
                    f" that of sample 0 {_form(like)}",
                    cure="give all samples one shape and type (resize, crop or pad them)",
                    file=file,
                )
        inputs[row], targets[row] = pair
    return TensorSamples(_narrow(inputs).to(device), _target_type(targets).to(device))


def _fetch(dataset: Any, row: int, split: str, file: str | None) -> tuple[Tensor, Tensor]:
    try:
        sample = dataset[row]
    except TaskError:  # says itself what is wrong, and where
        raise
    except Exception as error:
        raise raised(
            error,
            f'sample {row} of data("{split}") cannot be read',
            cure="correct the dataset's __getitem__",
            file=file,
        ) from error
    if not isinstance(sample, (tuple, list)) or len(sample) != 2:
        raise task_error(
            f'sample {row} of data("{split}") is a {type(sample).__name__}, not a pair',
            cure="let the dataset give (input, target)",
            file=file,
        )
    try:
        return _tensor(sample[0]), _tensor(sample[1])
    except (TypeError, ValueError, RuntimeError) as error:
        kinds = " and ".join(type(part).__name__ for part in sample)
        raise task_error(
            f'sample {row} of data("{split}") is a pair of {kinds}: {describe_exception(error)}',
            cure="convert both to tensors or numbers (images: transforms.ToTensor())",
            file=file,
        ) from error


def _listed_labels(dataset: Any, num_samples: int, like: Tensor) -> Tensor | None:
    """The dataset's own list of targets, when it is one label for every sample."""
    listed = getattr(dataset, "targets", None)
    if listed is None or like.numel() != 1:
        return None
    try:
        labels = _target_type(_tensor(listed))
    except (TypeError, ValueError, RuntimeError):
        return None
    return labels if labels.shape[:1] == (num_samples,) and labels.numel() == num_samples else None


def _tensor(value: Any) -> Tensor:
    if isinstance(value, (str, bytes, dict)):
        raise TypeError(f"a {type(value).__name__} is not a number")
    tensor = torch.as_tensor(value).detach()
    if tensor.is_complex() or tensor.is_sparse:
        raise TypeError("complex and sparse tensors are not supported; give dense real ones")
    return tensor


def _narrow(tensor: Tensor) -> Tensor:
    """float64, NumPy's default, as float32, the type of a fresh model's weights."""
    return tensor.float() if tensor.dtype == torch.float64 else tensor


def _target_type(targets: Tensor) -> Tensor:
    """Whole numbers as int64, which is what losses index with; floats as float32."""
    return _narrow(targets) if targets.is_floating_point() else targets.long()


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
