"""What goes on inside a model, as pure functions of activations, gradients and weights."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recipes.curve import FIRST_GRADIENT, LAST_GRADIENT, STALE_GRADIENT

SATURATION = 5.0
"""A sigmoid's or tanh's input beyond +-this is saturated (DeepDiagnosis, ICSE 2022)."""


def gradient_norm(gradients: Sequence[Tensor]) -> Tensor:
    """The Euclidean norm of all gradients together, a scalar."""
    return torch.nn.utils.get_total_norm(gradients)


def update_ratios(before: Sequence[Tensor], after: Sequence[Tensor]) -> Tensor:
    """norm(after - before) / norm(before) of each tensor, (T,); want about 1e-3 (CS231n).

    NaN where a tensor was all zero.
    """
    sizes = torch.stack([torch.linalg.vector_norm(old) for old in before])
    updates = [torch.linalg.vector_norm(new - old) for old, new in zip(before, after, strict=True)]
    return torch.stack(updates) / sizes.where(sizes > 0, torch.nan)


def weight_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Trainable tensors of two dimensions or more: biases' and norms' scales left out."""
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.ndim >= 2
    }


@dataclass(slots=True)
class InternalsSampler:
    """Takes gradient norm and update ratios of one optimiser step.

    ``before_backward`` stands between the optimiser's ``zero_grad`` and the backward pass,
    ``before_step`` and ``after_step`` around the step; the numbers stay on the device until
    ``named`` gives them their names.
    """

    model: nn.Module
    weights: Mapping[str, Tensor]
    _before: list[Tensor]
    _gradients: Tensor
    _stale: Tensor

    @classmethod
    def of(cls, model: nn.Module) -> InternalsSampler:
        """For a model's weights."""
        return cls(model, weight_tensors(model), [], torch.zeros(4), torch.tensor(0.0))

    @torch.no_grad()
    def before_backward(self) -> None:
        """Look for gradients that an earlier iteration left: there should be none."""
        left = self._all_gradients()
        self._stale = gradient_norm(left) if left else torch.tensor(0.0)

    @torch.no_grad()
    def before_step(self) -> None:
        """Remember the weights and measure the gradient, clipping not counted."""
        self._before = [weight.detach().clone() for weight in self.weights.values()]
        total = gradient_norm(self._all_gradients())
        ends = list(self.weights.values())[:: max(1, len(self.weights) - 1)][:2]
        norms = [
            total.new_zeros(()) if each.grad is None else torch.linalg.vector_norm(each.grad)
            for each in ends
        ]
        stale = self._stale.to(total)
        self._gradients = torch.stack([total, *norms, *[total] * (2 - len(norms)), stale])

    @torch.no_grad()
    def after_step(self) -> Tensor:
        """(4 + T,): norms of the whole gradient, of the first and the last weight tensor's
        and of what was left over; then each weight tensor's update ratio."""
        if not self._before:
            return self._gradients
        ratios = update_ratios(self._before, list(self.weights.values()))
        return torch.cat([self._gradients, ratios])

    def named(self, values: Sequence[float]) -> dict[str, float]:
        """The curve names of what ``after_step`` returned, with the median of the ratios.

        The ends' gradients from two weight tensors on, and left over ones where there are
        any: usually that curve does not exist.
        """
        norm, first, last, stale, *ratios = values
        named = {"gradient_norm": norm}
        if len(ratios) >= 2:
            named |= {FIRST_GRADIENT: first, LAST_GRADIENT: last}
        if stale != 0:
            named[STALE_GRADIENT] = stale
        if ratios:
            named["update_ratio"] = statistics.median(ratios)
        pairs = zip(self.weights, ratios, strict=True)
        return named | {f"update_ratio/{name}": ratio for name, ratio in pairs}

    def _all_gradients(self) -> list[Tensor]:
        return [each.grad for each in self.model.parameters() if each.grad is not None]
