"""A model's tensors by name: copied out, compared and put back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, those left out of state_dict too; tied ones once."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Copies of a model's tensors, on the CPU: what happens to it later does not reach them."""
    # Each its own memory: safetensors refuses tensors that share some, as tied weights do.
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in model_tensors(model).items()
    }


def put_weights(model: nn.Module, weights: Mapping[str, Tensor], *, what: str, cure: str) -> None:
    """Put tensors into a model, in place; all of them or, when they do not fit, none.

    Args:
        model: Has tensors of the same names and shapes, on any device.
        weights: By name, as ``copy_weights`` gave them.
        what: What the weights are of, for the error.
        cure: What to do when they do not fit.

    Raises:
        ValueError: A name or a shape differs.
    """
    wanted = model_tensors(model)
    differing = weights.keys() ^ wanted.keys() | {
        name
        for name in weights.keys() & wanted.keys()
        if weights[name].shape != wanted[name].shape
    }
    if differing:
        names = ", ".join(sorted(differing))
        raise ValueError(f"{what} does not fit the model ({names} differ); {cure}")
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(weights[name])
