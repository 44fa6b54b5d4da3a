"""Layers written for K members: one operation of torch for all of them, by class.

A layer takes and gives an ``Activation``. Only what is listed here is known, by its exact
class; a model with anything else runs mapped (``worker.fused.forward``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worker.fused.alignment import ALIGNED, aligned_linear
from worker.fused.layout import Activation, Layout
from worker.fused.masks import MemberMasks
from worker.fused.refusal import NotFusable

Tensors = Mapping[str, Tensor]
"""A module's own parameters and buffers by their short names, (K, ...) each."""
Rule = Callable[[Any, Activation, Tensors, MemberMasks], Activation]

ELEMENTWISE: tuple[type[nn.Module], ...] = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Tanh, nn.Sigmoid, nn.Softplus, nn.Hardtanh, nn.Hardswish, nn.Identity),
)
POOLS: tuple[type[nn.Module], ...] = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d),
)
CONVOLUTIONS: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Conv1d: F.conv1d,
    nn.Conv2d: F.conv2d,
}


def layer(module: nn.Module, x: Activation, own: Tensors, masks: MemberMasks) -> Activation:
    """One module's forward for all members.

    Raises:
        NotFusable: There is none for its class, or for how it is set up.
    """
    rule = RULES.get(type(module))
    if rule is None:
        raise NotFusable(f"{type(module).__name__} has no hand-written form")
    return rule(module, x, own, masks)


def _elementwise(module: nn.Module, x: Activation, own: Tensors, masks: MemberMasks) -> Activation:
    # An inplace one must not write into the data.
    tensor = x.tensor.clone() if x.layout is Layout.SHARED else x.tensor
    return x.with_tensor(module(tensor))


def _pool(module: nn.Module, x: Activation, own: Tensors, masks: MemberMasks) -> Activation:
    if x.layout is Layout.SHARED:
        return x.with_tensor(module(x.tensor))
    return Activation(module(x.channels()), Layout.CHANNELS, x.num_members)


def _flatten(module: nn.Flatten, x: Activation, own: Tensors, masks: MemberMasks) -> Activation:
    if (module.start_dim, module.end_dim) != (1, -1):
        raise NotFusable("Flatten over other dimensions has no hand-written form")
    return flattened(x)


def flattened(x: Activation) -> Activation:
    """(B, ...) of each member to (B, F)."""
    if x.layout is Layout.SHARED:
        return x.with_tensor(x.tensor.flatten(1))
    return Activation(x.rows().flatten(2), Layout.ROWS, x.num_members)


def _linear(module: nn.Linear, x: Activation, own: Tensors, masks: MemberMasks) -> Activation:
    weight, bias = own["weight"], own.get("bias")
    num_members, num_out, num_in = weight.shape
    if x.layout is Layout.SHARED and x.tensor.ndim == 2 and num_in % ALIGNED == 0:
        # One product for all: their weights side by side, each filled up to a width at which
        # a member's columns are not summed up by where they stand.
        more = -num_out % ALIGNED
        zeros = weight.new_zeros(num_members, more, num_in)
        side_by_side = torch.cat([weight, zeros], 1) if more else weight
        joined = F.linear(x.tensor, side_by_side.reshape(-1, num_in))
        output = joined.view(-1, num_members, num_out + more)[..., :num_out].transpose(0, 1)
        if bias is not None:
            output = output + bias.unsqueeze(1)
        return Activation(output, Layout.ROWS, num_members)
    rows = x.rows()
    flat = rows.reshape(num_members, -1, num_in)
    output = aligned_linear(_batched_linear, flat, weight, bias, num_samples=flat.shape[1])
    return Activation(output.view(*rows.shape[:-1], num_out), Layout.ROWS, num_members)


def _batched_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product = weight.transpose(1, 2)
    if bias is None:
        return torch.bmm(x, product)
    return torch.baddbmm(bias.unsqueeze(1), x, product)


def _convolution(module: Any, x: Activation, own: Tensors, masks: MemberMasks) -> Activation:
    if module.padding_mode != "zeros":
        raise NotFusable(f"padding by {module.padding_mode} has no hand-written form")
    weight, bias = own["weight"], own.get("bias")
    is_shared = x.layout is Layout.SHARED and module.groups == 1
    if not is_shared and module.in_channels == 1:
        # A channel of zeros beside it: over one channel each torch goes by how many there are.
        weight = F.pad(weight, (*(0, 0) * len(module.kernel_size), 0, 1))
        rows = x.rows()
        filled = torch.cat([rows, torch.zeros_like(rows)], 2)
        x = Activation(filled, Layout.ROWS, x.num_members)
    output = CONVOLUTIONS[type(module)](
        x.tensor if is_shared else x.channels(),
        weight.flatten(0, 1),
        None if bias is None else bias.flatten(),
        module.stride,
        module.padding,
        module.dilation,
        1 if is_shared else module.groups * x.num_members,
    )
    return Activation(output, Layout.CHANNELS, x.num_members)


def _batch_norm(module: Any, x: Activation, own: Tensors, masks: MemberMasks) -> Activation:
    if module.momentum is None:
        raise NotFusable("batch norm with a cumulative average has no hand-written form")
    if module.training and own.get("num_batches_tracked") is not None:
        own["num_batches_tracked"].add_(1)
    output = F.batch_norm(
        x.channels(),
        *(_flat(own, "running_mean"), _flat(own, "running_var")),
        *(_flat(own, "weight"), _flat(own, "bias")),
        # A model may keep one of its norms in eval mode while it trains.
        training=module.training or own.get("running_mean") is None,
        momentum=module.momentum,
        eps=module.eps,
    )
    return Activation(output, Layout.CHANNELS, x.num_members)


def _group_norm(
    module: nn.GroupNorm, x: Activation, own: Tensors, masks: MemberMasks
) -> Activation:
    output = F.group_norm(
        x.channels(),
        module.num_groups * x.num_members,
        _flat(own, "weight"),
        _flat(own, "bias"),
        module.eps,
    )
    return Activation(output, Layout.CHANNELS, x.num_members)


def _layer_norm(
    module: nn.LayerNorm, x: Activation, own: Tensors, masks: MemberMasks
) -> Activation:
    rows = x.rows()
    output = F.layer_norm(rows, module.normalized_shape, eps=module.eps)
    between = (1,) * (rows.ndim - 1 - len(module.normalized_shape))
    for name, apply in (("weight", torch.mul), ("bias", torch.add)):
        tensor = own.get(name)
        if tensor is not None:
            output = apply(output, tensor.view(len(tensor), *between, *tensor.shape[1:]))
    return Activation(output, Layout.ROWS, x.num_members)


def _embedding(
    module: nn.Embedding, x: Activation, own: Tensors, masks: MemberMasks
) -> Activation:
    if module.padding_idx is not None or module.max_norm or module.scale_grad_by_freq:
        raise NotFusable("an embedding with padding or limits has no hand-written form")
    weight = own["weight"]
    if x.layout is Layout.SHARED:
        return Activation(weight[:, x.tensor], Layout.ROWS, x.num_members)
    tokens = x.rows()
    member = torch.arange(len(weight), device=weight.device)
    output = weight[member.view(-1, *(1,) * (tokens.ndim - 1)), tokens]
    return Activation(output, Layout.ROWS, x.num_members)


def _dropout(module: Any, x: Activation, own: Tensors, masks: MemberMasks) -> Activation:
    if not module.training:
        return x
    mask = masks.of_module(module, x.shape, like=x.tensor)
    if mask is None and x.layout is Layout.SHARED:
        # As if one of the rates were not 0: what follows must not depend on the others' rates.
        return Activation(x.rows().contiguous(), Layout.ROWS, x.num_members)
    return masked(x, mask)


def masked(x: Activation, mask: Tensor | None) -> Activation:
    """Multiplied with the members' masks (K, ...); None: as it is."""
    if mask is None:
        return x
    drawn = Activation(mask, Layout.ROWS, x.num_members)
    if x.layout is Layout.CHANNELS:
        return x.with_tensor(x.tensor * drawn.channels())
    return Activation(x.rows() * mask, Layout.ROWS, x.num_members)


def _flat(own: Tensors, name: str) -> Tensor | None:
    tensor = own.get(name)
    return None if tensor is None else tensor.view(-1)


RULES: dict[type[nn.Module], Rule] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(POOLS, _pool),
    **dict.fromkeys(CONVOLUTIONS, _convolution),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d), _batch_norm),
    **dict.fromkeys((nn.Dropout, nn.Dropout1d, nn.Dropout2d), _dropout),
    nn.Flatten: _flatten,
    nn.Linear: _linear,
    nn.GroupNorm: _group_norm,
    nn.LayerNorm: _layer_norm,
    nn.Embedding: _embedding,
}
"""By exact class: a subclass may compute something else."""
