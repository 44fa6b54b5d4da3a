"""A trial's best weights as an artifact, with what is needed to build their model again.

Safetensors bytes: the model's tensors, and as metadata a ``SnapshotInfo`` in JSON. No
code, so reading a foreign one runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from recipes.space import ParameterValue
from recipes.task import Task
from recipes.value import Value
from worker.training.checkpoint import read_metadata
from worker.training.member import make_model
from worker.training.weights import put_weights

KEY = "snapshot"


class SnapshotInfo(Value):
    """Whose weights they are, and how their model is built.

    Attributes:
        trial: The trial they were trained in, and the epoch and iteration they are of.
        params: Its setting.
        seed: Its seed; a model may draw more than its tensors from it.
        init: How its initial weights were drawn (what ``params`` leave to a default, too).
    """

    trial: int
    epoch: int
    iteration: int
    params: dict[str, ParameterValue]
    seed: int
    init: str


def pack_snapshot(weights: Mapping[str, Tensor], info: SnapshotInfo) -> bytes:
    """Everything as bytes. The weights are as ``worker.training.weights`` copies them."""
    return save_tensors(dict(weights), metadata={KEY: info.model_dump_json()})


def read_info(content: bytes) -> SnapshotInfo:
    """What a snapshot says of itself."""
    return SnapshotInfo.model_validate_json(read_metadata(content, KEY))


def start_from(content: bytes, model: nn.Module) -> None:
    """Put a snapshot's weights into a model, in place.

    Raises:
        ValueError: The model has other tensors than the snapshot.
    """
    info = read_info(content)
    put_weights(
        model,
        load_tensors(content),
        what=f"the snapshot of trial {info.trial}",
        cure="start from it only with a setting that builds the same layers",
    )


def rebuild(task: Task, content: bytes, device: torch.device) -> nn.Module:
    """The model a snapshot is of, with its weights.

    Raises:
        ValueError: The task no longer builds that model.
    """
    info = read_info(content)
    model = make_model(task, info.params, seed=info.seed, init=info.init, device=device)
    start_from(content, model)
    return model
