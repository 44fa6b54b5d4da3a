"""Which parameters a backward pass reaches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recipes.description import ParameterDescription
from worker.describe.checks.model import SEED, run_model
from worker.training.losses import Loss
from worker.training.probes import backward_in_eval_mode
from worker.training.seeding import seed_everything

NUDGE = 0.02
"""Sd of the noise added for the second look, about a small network's initial weights."""


def describe_parameters(
    model: nn.Module, inputs: Tensor, targets: Tensor, *, loss: Loss | None, file: str | None
) -> tuple[ParameterDescription, ...]:
    """Every parameter, and whether the loss's gradient reaches it, in train mode.

    A gradient of zeros alone does not mean unreached: a residual branch that ends in
    weights of zero passes none at first. So parameters without any are looked at again,
    with a little noise on all weights. The model is left changed.

    Args:
        inputs: (B, ...) on the model's device; with one sample alone the model runs in
            eval mode, because batch norm cannot train on it.
        targets: (B, ...).
        loss: The task's loss; None: a random projection of the outputs stands for it.
        file: The task's file, for messages.
    """
    model.train(len(inputs) > 1)
    reached, strays = _reached(model, inputs, targets, loss, file)
    wanted = {name for name, each in model.named_parameters() if each.requires_grad}
    if wanted - reached:
        _nudge(model)
        reached |= _reached(model, inputs, targets, loss, file)[0]
    registered = (
        ParameterDescription(
            name=name,
            shape=tuple(each.shape),
            trainable=each.requires_grad,
            reached=name in reached,
        )
        for name, each in model.named_parameters()
    )
    unregistered = (
        ParameterDescription(
            name=f"unregistered tensor {number}",
            shape=shape,
            trainable=True,
            reached=True,
            registered=False,
        )
        for number, shape in enumerate(strays, start=1)
    )
    return (*registered, *unregistered)


def _reached(
    model: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss | None, file: str | None
) -> tuple[set[str], list[tuple[int, ...]]]:
    """One backward: names of the parameters with a gradient that is not all zero, and strays.

    A stray is a tensor that gets a gradient and is not among the model's parameters: kept
    in a plain list, say, where no optimiser will ever see it. Their shapes are returned.
    """
    seed_everything(SEED)
    model.zero_grad(set_to_none=True)
    with torch.enable_grad(), backward_in_eval_mode(model):
        output = run_model(model, inputs, file=file)
        if loss is None:
            value = (output * torch.randn_like(output)).sum()
        else:
            value = loss(output, targets)
        strays = _strays(model, value)
        if value.requires_grad:
            value.backward()  # type: ignore[no-untyped-call]  # torch ships it untyped
    reached = {
        name
        for name, each in model.named_parameters()
        if each.grad is not None and bool((each.grad != 0).any())
    }
    model.zero_grad(set_to_none=True)
    return reached, strays


def _strays(model: nn.Module, value: Tensor) -> list[tuple[int, ...]]:
    """Shapes of the graph's leaves that are none of the model's parameters."""
    known = {id(each) for each in model.parameters()}
    found: list[tuple[int, ...]] = []
    seen: set[object] = set()
    waiting = [value.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)  # of an AccumulateGrad node
        if leaf is not None and id(leaf) not in known:
            found.append(tuple(leaf.shape))
        waiting.extend(following for following, _ in node.next_functions)
    return sorted(found, reverse=True)


def _nudge(model: nn.Module) -> None:
    seed_everything(SEED)
    with torch.no_grad():
        for each in model.parameters():
            each.add_(torch.randn_like(each), alpha=NUDGE)
