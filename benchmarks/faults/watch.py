"""An onlooker's view of a run's tensors, for the rules of tools that look at every one.

Hooks on the network alone, so the trainer is the product's own and its numbers stay the
same; Sevenstep's rules do not see any of this.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

FIRST = 5
EVERY = 20
"""Iterations that are looked at: the first few, then every twentieth."""

RELUS = (nn.ReLU, nn.ReLU6)
SIGMOID_ENDS = (-23.0, 16.99999)
TANH_ENDS = (-9.4999, 9.4999)
"""Inputs beyond which SageMaker Debugger calls a unit saturated (its documentation)."""

STEEP = 5.0
"""Inputs beyond which DeepDiagnosis does (its code: +-5)."""


class TensorWatch:
    """Statistics of layers' outputs and of parameters' gradients, one record a look.

    Attributes:
        records: In order: ``iteration``, ``layers`` by name, ``parameters`` by name.
    """

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self._iteration = 0
        self._looking = False

    def attach(self, network: nn.Module) -> None:
        """Hook into a fresh network; its first call in training mode is iteration 0."""
        self.records, self._iteration = [], 0
        network.register_forward_pre_hook(self._begin)
        for name, module in network.named_modules():
            if not list(module.children()) and not isinstance(module, nn.Flatten):
                module.register_forward_hook(self._layer_hook(name))
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                parameter.register_hook(  # type: ignore[no-untyped-call]
                    self._gradient_hook(name, parameter)
                )

    def _begin(self, network: nn.Module, inputs: Any) -> None:
        if not network.training:
            self._looking = False
            return
        self._looking = self._iteration < FIRST or self._iteration % EVERY == 0
        if self._looking:
            self.records.append({"iteration": self._iteration, "layers": {}, "parameters": {}})
        self._iteration += 1

    def _layer_hook(self, name: str) -> Any:
        @torch.no_grad()
        def look(module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
            if not self._looking or not isinstance(output, Tensor) or not len(output):
                return
            values = output.detach()
            by_unit = values.flatten(0, -2) if values.ndim == 3 else values.flatten(1)
            found: dict[str, Any] = {
                "kind": type(module).__name__,
                "mean_size": _number(values.abs().mean()),
                "sd": _number(values.std(correction=0)),
                "largest": _number(values.abs().max()),
                "not_positive": _number((values <= 0).float().mean()),
                "zero_units": _number((by_unit == 0).all(0).float().mean()),
            }
            if isinstance(module, (nn.Sigmoid, nn.Tanh)):
                before = inputs[0].detach()
                low, high = SIGMOID_ENDS if isinstance(module, nn.Sigmoid) else TANH_ENDS
                found["far"] = _number(((before < low) | (before > high)).float().mean())
                found["steep"] = _number((before.abs() > STEEP).float().mean())
            self.records[-1]["layers"][name] = found

        return look

    def _gradient_hook(self, name: str, parameter: nn.Parameter) -> Any:
        @torch.no_grad()
        def look(gradient: Tensor) -> None:
            if not self._looking or not self.records:
                return
            weights = parameter.detach()
            size = gradient.abs().flatten()
            self.records[-1]["parameters"][name] = {
                "mean_gradient": _number(size.mean()),
                "gradient_norm": _number(torch.linalg.vector_norm(gradient)),
                "zero_share": _number((size == 0).float().mean()),
                "middle_range": _number(_middle_range(gradient)),
                "variance": _number(weights.var(correction=0)),
                "largest": _number(weights.abs().max()),
                "ndim": parameter.ndim,
            }

        return look


def _middle_range(gradient: Tensor) -> Tensor:
    """From the 5th to the 95th percentile."""
    order = gradient.flatten().sort().values
    return order[int(0.95 * (len(order) - 1))] - order[int(0.05 * (len(order) - 1))]


def _number(value: Tensor) -> float:
    """Four digits are enough, and keep the files small."""
    return float(f"{float(value):.4g}")
