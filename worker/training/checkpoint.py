"""A member's whole state at an epoch's end, as safetensors bytes.

Tensors: the model's parameters and buffers, the optimiser's state, and the best epoch's
weights where they are kept and are not the model's own. Metadata: the progress made so
far as JSON. No random generator's state: epochs are seeded anew. The format holds no
code, so reading a foreign checkpoint runs nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from recipes.outcome import Evaluation, Initialisation
from recipes.value import Number, Value
from worker.training.best import BestEpoch, BestWeights
from worker.training.optimizers import PlainOptimizer
from worker.training.weights import copy_weights, put_weights

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
    best: BestEpoch | None = None  # whose weights are kept


def pack(
    model: nn.Module,
    optimizer: PlainOptimizer,
    progress: Progress,
    *,
    best: BestWeights | None = None,
) -> bytes:
    """Everything as bytes.

    Args:
        model: As it is at the end of ``progress.epoch``.
        optimizer: Its optimiser.
        progress: What was measured.
        best: The best epoch's weights, where they are kept.
    """
    epoch = best.epoch if best else None
    tensors = _named("model", copy_weights(model))
    state = {name: tensor.cpu().contiguous() for name, tensor in optimizer.state().items()}
    tensors |= _named("optimizer", state)
    if best and epoch and epoch.epoch != progress.epoch:
        tensors |= _named("best", dict(best.weights))
    progress = progress.model_copy(update={"best": epoch})
    return save_tensors(tensors, metadata={"progress": progress.model_dump_json()})


def read_progress(content: bytes) -> Progress:
    """The progress alone."""
    return Progress.model_validate_json(read_metadata(content, "progress"))


def read_metadata(content: bytes, key: str) -> str:
    """One entry of the metadata of safetensors bytes, without their tensors."""
    length = int.from_bytes(content[:HEADER_LENGTH_BYTES], "little")
    header = json.loads(content[HEADER_LENGTH_BYTES : HEADER_LENGTH_BYTES + length])
    return str(header["__metadata__"][key])


def restore(
    content: bytes,
    model: nn.Module,
    optimizer: PlainOptimizer,
    *,
    best: BestWeights | None = None,
) -> None:
    """Put a checkpoint's tensors into a model, its optimiser and its best weights, in place.

    Raises:
        ValueError: The checkpoint is of a model with other tensors.
    """
    tensors, progress = load_tensors(content), read_progress(content)
    put_weights(
        model,
        _part(tensors, "model"),
        what="the checkpoint",
        cure="was the task's code changed? Start the study again",
    )
    optimizer.load(_part(tensors, "optimizer"))
    if best and progress.best:
        best.epoch = progress.best
        best.weights = _part(tensors, "model" if progress.best.epoch == progress.epoch else "best")


def _named(part: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{part}/{name}": tensor for name, tensor in tensors.items()}


def _part(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(f"{part}/"): tensor
        for name, tensor in tensors.items()
        if name.startswith(f"{part}/")
    }
