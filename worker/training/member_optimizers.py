"""The optimisers of several members at once, over a leading member axis.

Every parameter is a tensor [K, ...] and every rate a tensor [K]: member k takes the
step that ``worker.training.optimizers.PlainOptimizer`` would take with member k's rates alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from worker.training.optimizers import (
    ADAGRAD_EPS,
    ADAM_EPS,
    RMSPROP_ALPHA,
    RMSPROP_EPS,
    OptimizerSettings,
)


class MemberOptimizer:
    """One optimiser for K members of the same shapes and the same kind of optimiser.

    The state is ``slots``: for each parameter its tensors [K, ...] by name, made of
    zeros at the start, so that state can be saved, restored or cut to fewer members
    along the first axis like the parameters themselves.

    Args:
        parameters: Tensors [K, ...] with ``grad``; K is the same for all.
        settings: K settings that differ in their rates alone.

    Raises:
        ValueError: The members' optimisers differ in name or in ``nesterov``, or the
            leading axis is not K.
    """

    def __init__(
        self, parameters: Sequence[Tensor], settings: Sequence[OptimizerSettings]
    ) -> None:
        kinds = {(each.name, each.nesterov) for each in settings}
        if len(kinds) != 1:
            raise ValueError(f"members of one group have one optimiser; these have {kinds}")
        if any(len(parameter) != len(settings) for parameter in parameters):
            raise ValueError(f"every parameter's first axis must be the {len(settings)} members")
        self.parameters = list(parameters)
        self.num_steps = 0
        self._update = UPDATES[settings[0].name]
        self.slots: list[dict[str, Tensor]] = [
            {name: torch.zeros_like(parameter) for name in SLOTS[settings[0].name]}
            for parameter in parameters
        ]
        self._nesterov = settings[0].nesterov
        like = self.parameters[0]
        self._rates = {
            name: torch.tensor(
                [getattr(each, name) for each in settings], dtype=like.dtype, device=like.device
            )
            for name in ("lr", "weight_decay", "momentum", "beta1", "beta2")
        }

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, factors: Tensor) -> None:
        """Update the parameters by their gradients.

        Args:
            factors: The schedules' factors on the learning rates, [K].
        """
        self.num_steps += 1
        for parameter, slots in zip(self.parameters, self.slots, strict=True):
            if parameter.grad is None:
                continue
            shape = (-1,) + (1,) * (parameter.ndim - 1)
            rates = {name: rate.view(shape) for name, rate in self._rates.items()}
            rates["lr"] = rates["lr"] * factors.to(parameter.dtype).view(shape)
            self._update(parameter, parameter.grad, slots, rates, self.num_steps, self._nesterov)


Update = Callable[[Tensor, Tensor, dict[str, Tensor], dict[str, Tensor], int, bool], None]


def _sgd(
    weight: Tensor,
    gradient: Tensor,
    slots: dict[str, Tensor],
    rates: dict[str, Tensor],
    num_steps: int,
    nesterov: bool,
) -> None:
    """Sutskever et al. 2013, in torch's form: the rate outside the velocity."""
    gradient = gradient + rates["weight_decay"] * weight
    velocity = slots["momentum_buffer"].mul_(rates["momentum"]).add_(gradient)
    direction = gradient + rates["momentum"] * velocity if nesterov else velocity
    weight.sub_(rates["lr"] * direction)


def _adagrad(
    weight: Tensor,
    gradient: Tensor,
    slots: dict[str, Tensor],
    rates: dict[str, Tensor],
    num_steps: int,
    nesterov: bool,
) -> None:
    """Duchi et al. 2011, the diagonal form."""
    gradient = gradient + rates["weight_decay"] * weight
    total = slots["sum"].addcmul_(gradient, gradient)
    weight.sub_(rates["lr"] * gradient / (total.sqrt() + ADAGRAD_EPS))


def _rmsprop(
    weight: Tensor,
    gradient: Tensor,
    slots: dict[str, Tensor],
    rates: dict[str, Tensor],
    num_steps: int,
    nesterov: bool,
) -> None:
    """Hinton 2012 (lecture 6e), with torch's momentum."""
    gradient = gradient + rates["weight_decay"] * weight
    square = slots["square_avg"].mul_(RMSPROP_ALPHA)
    square.addcmul_(gradient, gradient, value=1 - RMSPROP_ALPHA)
    scaled = gradient / (square.sqrt() + RMSPROP_EPS)
    velocity = slots["momentum_buffer"].mul_(rates["momentum"]).add_(scaled)
    weight.sub_(rates["lr"] * velocity)


def _adam(
    weight: Tensor,
    gradient: Tensor,
    slots: dict[str, Tensor],
    rates: dict[str, Tensor],
    num_steps: int,
    nesterov: bool,
) -> None:
    """Kingma & Ba 2015, decay as part of the gradient."""
    _adam_step(weight, gradient + rates["weight_decay"] * weight, slots, rates, num_steps)


def _adamw(
    weight: Tensor,
    gradient: Tensor,
    slots: dict[str, Tensor],
    rates: dict[str, Tensor],
    num_steps: int,
    nesterov: bool,
) -> None:
    """Loshchilov & Hutter 2019: the decay decoupled from the gradient."""
    weight.mul_(1 - rates["lr"] * rates["weight_decay"])
    _adam_step(weight, gradient, slots, rates, num_steps)


def _adam_step(
    weight: Tensor,
    gradient: Tensor,
    slots: dict[str, Tensor],
    rates: dict[str, Tensor],
    num_steps: int,
) -> None:
    beta1, beta2 = rates["beta1"], rates["beta2"]
    mean = slots["exp_avg"].mul_(beta1).add_((1 - beta1) * gradient)
    square = slots["exp_avg_sq"].mul_(beta2).add_((1 - beta2) * gradient.square())
    size = square.sqrt() / (1 - beta2**num_steps).sqrt() + ADAM_EPS
    weight.sub_(rates["lr"] / (1 - beta1**num_steps) * mean / size)


UPDATES: dict[str, Update] = {
    "sgd": _sgd,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adam": _adam,
    "adamw": _adamw,
}
SLOTS: dict[str, tuple[str, ...]] = {
    "sgd": ("momentum_buffer",),
    "adagrad": ("sum",),
    "rmsprop": ("square_avg", "momentum_buffer"),
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
}
"""The state of each optimiser, under torch's names."""
