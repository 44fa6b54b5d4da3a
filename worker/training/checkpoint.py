"""A member's whole state at an epoch's end, as safetensors bytes.

Tensors: the model's parameters and buffers and the optimiser's state. Metadata: the
progress made so far as JSON. No random generator's state: epochs are seeded anew. The
format holds no code, so reading a foreign checkpoint runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from recipes.outcome import Evaluation, Initialisation
from recipes.value import Number, Value
from worker.training.optimizers import PlainOptimizer

HEADER_LENGTH_BYTES = 8
"""A safetensors file begins with its JSON header's length, little-endian."""


@dataclass(frozen=True)
class Checkpoint:
    """A member's state after ``epoch`` whole epochs, that is ``iteration`` optimiser steps."""

    epoch: int
    iteration: int
    content: bytes


class Progress(Value):
    """What a run has measured by the end of an epoch, as far as it goes on from it."""

    epoch: int
    iteration: int
    seconds: float
    evaluations: tuple[Evaluation, ...]
    initialisation: Initialisation | None
    recent_losses: tuple[Number, ...]
    num_below: int
    pending: dict[str, tuple[tuple[int, Number], ...]]  # open blocks of thinned curves


def pack(model: nn.Module, optimizer: PlainOptimizer, progress: Progress) -> bytes:
    """Everything as bytes."""
    tensors = {f"model/{name}": tensor for name, tensor in _model_tensors(model)}
    tensors |= {f"optimizer/{name}": tensor for name, tensor in optimizer.state().items()}
    # Copies: safetensors refuses tensors that share memory, as tied weights do.
    copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    return save_tensors(copies, metadata={"progress": progress.model_dump_json()})


def read_progress(content: bytes) -> Progress:
    """The progress alone."""
    length = int.from_bytes(content[:HEADER_LENGTH_BYTES], "little")
    header = json.loads(content[HEADER_LENGTH_BYTES : HEADER_LENGTH_BYTES + length])
    return Progress.model_validate_json(header["__metadata__"]["progress"])


def restore(content: bytes, model: nn.Module, optimizer: PlainOptimizer) -> None:
    """Put a checkpoint's tensors into a model and its optimiser, in place.

    Raises:
        ValueError: The checkpoint is of a model with other tensors.
    """
    tensors = load_tensors(content)
    stored = {name for name in tensors if name.startswith("model/")}
    wanted = {f"model/{name}": tensor for name, tensor in _model_tensors(model)}
    differing = stored.symmetric_difference(wanted) | {
        name for name in stored.intersection(wanted) if tensors[name].shape != wanted[name].shape
    }
    if differing:
        raise ValueError(
            f"the checkpoint does not fit the model ({', '.join(sorted(differing))} differ);"
            " was the task's code changed? Start the study again"
        )
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(tensors[name])
    prefix = "optimizer/"
    optimizer.load(
        {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    )


def _model_tensors(model: nn.Module) -> Iterable[tuple[str, Tensor]]:
    """Parameters and buffers, those left out of state_dict too; tied ones once."""
    yield from model.named_parameters()
    yield from model.named_buffers()
