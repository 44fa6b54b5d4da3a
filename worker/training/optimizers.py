"""The optimisers by name, and the one of a single member: torch's own, fastest kernel.

``worker.training.member_optimizers`` has the same updates over a leading member axis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

ADAM_EPS = 1e-8
ADAGRAD_EPS = 1e-10
RMSPROP_EPS = 1e-8
RMSPROP_ALPHA = 0.99
"""Torch's own defaults, named here because the member-axis updates need them too."""


@dataclass(frozen=True, slots=True)
class OptimizerSettings:
    """One member's optimiser and rates. Each optimiser reads those it knows."""

    name: str  # a key of OPTIMIZERS
    lr: float
    weight_decay: float = 0.0
    momentum: float = 0.0  # sgd and rmsprop
    beta1: float = 0.9  # adam and adamw, as beta2
    beta2: float = 0.999
    nesterov: bool = False  # sgd


class PlainOptimizer:
    """Torch's optimiser for one member's parameters, with a factor on its learning rate.

    Weight decay reaches every trainable parameter, as in torch: decoupled for AdamW,
    added to the gradient for the others.

    Raises:
        ValueError: The model has no trainable parameter.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], settings: OptimizerSettings) -> None:
        trainable = [parameter for parameter in parameters if parameter.requires_grad]
        if not trainable:
            raise ValueError(
                "the model has no trainable parameter; set requires_grad on those to train"
            )
        self._settings = settings
        self._parameters = trainable
        self._optimizer = OPTIMIZERS[settings.name](trainable, settings, _has_fused(trainable))

    def set_rate_factor(self, factor: float) -> None:
        """Make the learning rate of the following steps ``factor`` times the base rate."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._settings.lr * factor

    def zero_grad(self) -> None:
        """Forget the gradients (torch's own takes a tenth of a small model's iteration)."""
        for parameter in self._parameters:
            parameter.grad = None

    def step(self) -> None:
        """Update the parameters by their gradients."""
        self._optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """The optimiser's tensors, named ``<parameter index>.<name>``."""
        return {
            f"{index}.{name}": value
            for index, slots in self._optimizer.state_dict()["state"].items()
            for name, value in slots.items()
            if isinstance(value, Tensor)
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over tensors that ``state`` returned."""
        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in state.items():
            index, _, name = key.partition(".")
            parameter = self._parameters[int(index)]
            slots.setdefault(int(index), {})[name] = _laid_as(parameter, value)
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": slots, "param_groups": groups})


def _laid_as(parameter: nn.Parameter, value: Tensor) -> Tensor:
    """A state's tensor in its parameter's memory format: torch's one-kernel updates go through
    the memory of both side by side, and would take another element's state."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _has_fused(parameters: list[nn.Parameter]) -> bool:
    """Whether torch has its one-kernel updates for all of these."""
    return all(
        parameter.is_floating_point() and parameter.device.type in ("cpu", "cuda")
        for parameter in parameters
    )


def _sgd(parameters: Any, settings: OptimizerSettings, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        parameters,
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.nesterov and settings.momentum > 0,
        fused=fused,
    )


def _adagrad(parameters: Any, settings: OptimizerSettings, fused: bool) -> torch.optim.Optimizer:
    # The fused kernel exists for the CPU alone; elsewhere torch picks its foreach one.
    on_cpu = fused and all(parameter.device.type == "cpu" for parameter in parameters)
    return torch.optim.Adagrad(
        parameters,
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        eps=ADAGRAD_EPS,
        fused=on_cpu or None,
    )


def _rmsprop(parameters: Any, settings: OptimizerSettings, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(
        parameters,
        lr=settings.lr,
        alpha=RMSPROP_ALPHA,
        eps=RMSPROP_EPS,
        weight_decay=settings.weight_decay,
        momentum=settings.momentum,
    )


def _adam(parameters: Any, settings: OptimizerSettings, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, **_adam_arguments(settings, fused))


def _adamw(parameters: Any, settings: OptimizerSettings, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, **_adam_arguments(settings, fused))


def _adam_arguments(settings: OptimizerSettings, fused: bool) -> dict[str, Any]:
    return {
        "lr": settings.lr,
        "betas": (settings.beta1, settings.beta2),
        "eps": ADAM_EPS,
        "weight_decay": settings.weight_decay,
        "fused": fused,
    }


OPTIMIZERS: dict[str, Callable[[Any, OptimizerSettings, bool], torch.optim.Optimizer]] = {
    "sgd": _sgd,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adam": _adam,
    "adamw": _adamw,
}
"""What ``optimizer`` may name."""
