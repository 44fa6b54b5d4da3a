"""Gradient norms and update ratios of K members, as ``worker.training.internals`` takes one's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from worker.fused.stack import Stack
from worker.training.internals import weight_tensors


class MemberInternals:
    """Takes the internals of one optimiser step of all members.

    Gradients that an earlier iteration left are not looked for: members have none, and a
    model that keeps some is not admitted.

    Args:
        stack: Their tensors; read at every call.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._names = tuple(weight_tensors(stack.skeleton))
        self._before: list[Tensor] = []
        self._gradients = torch.zeros(0)

    @torch.no_grad()
    def before_step(self) -> None:
        """Remember the weights and measure the gradients, clipping not counted."""
        weights = self._weights()
        self._before = [weight.clone() for weight in weights]
        total = gradient_norms(self._stack)
        ends = [self._stack.parameters[name] for name in self._ends()]
        norms = [total.new_zeros(len(total)) if e.grad is None else norms_of(e.grad) for e in ends]
        rest = [total] * (2 - len(norms))
        self._gradients = torch.stack([total, *norms, *rest, torch.zeros_like(total)], 1)

    @torch.no_grad()
    def after_step(self) -> Tensor:
        """(K, 4 + T): a row a member, as ``InternalsSampler.after_step`` gives one's."""
        ratios = [
            norms_of(after - before) / norms_of(before).where(norms_of(before) > 0, torch.nan)
            for before, after in zip(self._before, self._weights(), strict=True)
        ]
        return torch.cat([self._gradients, *(each[:, None] for each in ratios)], 1)

    def _ends(self) -> Sequence[str]:
        return self._names[:: max(1, len(self._names) - 1)][:2]

    def _weights(self) -> list[Tensor]:
        return [self._stack.parameters[name].detach() for name in self._names]


def gradient_norms(stack: Stack) -> Tensor:
    """The Euclidean norm of all gradients of each member, (K,)."""
    found = [norms_of(each.grad) for each in stack.parameters.values() if each.grad is not None]
    norms: Tensor = torch.linalg.vector_norm(torch.stack(found), dim=0)
    return norms


def norms_of(tensor: Tensor) -> Tensor:
    """(K, ...) -> (K,): the Euclidean norm of each member's part."""
    norms: Tensor = torch.linalg.vector_norm(tensor.flatten(1), dim=1)
    return norms


@torch.no_grad()
def clip_gradients(stack: Stack, limits: Tensor) -> None:
    """Scale each member's gradients so that their norm is at most its limit, in place.

    As ``torch.nn.utils.clip_grad_norm_`` does (Pascanu et al. 2013).

    Args:
        stack: With gradients.
        limits: (K,); 0: none.
    """
    factors = (limits / (gradient_norms(stack) + 1e-6)).clamp_max(1.0)
    factors = torch.where(limits > 0, factors, 1.0)
    for each in stack.parameters.values():
        if each.grad is not None:
            each.grad.mul_(factors.view(-1, *(1,) * (each.ndim - 1)))
