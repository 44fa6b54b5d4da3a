"""The optimisers of several members at once, over a leading member axis.

Every parameter is a tensor [K, ...]: member k takes the step that
``worker.training.optimizers.PlainOptimizer`` would take with member k's rates alone, by
torch's native kernel row by row where it has one, else by operations over the member axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from worker.fused.native import SLOTS, MemberRows, native_step
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
    zeros at the start. A parameter without a gradient is passed over, as by torch.

    Args:
        parameters: Tensors [K, ...] with ``grad``; K is the same for all.
        settings: K settings that differ in their rates alone.
        is_native: Whether native kernels may be used.

    Raises:
        ValueError: The members' optimisers differ in name or in ``nesterov``, or the
            leading axis is not K.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        settings: Sequence[OptimizerSettings],
        *,
        is_native: bool = True,
    ) -> None:
        kinds = {(each.name, each.nesterov) for each in settings}
        if len(kinds) != 1:
            raise ValueError(f"members of one group have one optimiser; these have {kinds}")
        if any(len(parameter) != len(settings) for parameter in parameters):
            raise ValueError(f"every parameter's first axis must be the {len(settings)} members")
        self._settings = list(settings)
        self._name = settings[0].name
        self._is_native = is_native
        self.slots: list[dict[str, Tensor]] = [
            {name: torch.zeros_like(parameter) for name in SLOTS[self._name]}
            for parameter in parameters
        ]
        self._num_steps = [0] * len(parameters)
        self._take(parameters)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, factors: Sequence[float]) -> None:
        """Update the parameters by their gradients.

        Args:
            factors: The schedules' factors on the learning rates, K.
        """
        reached = [i for i, each in enumerate(self._parameters) if each.grad is not None]
        for index in reached:
            self._num_steps[index] += 1
        if self._native is None:
            self._step_over_members(reached, factors)
        else:
            self._step_by_rows(reached, factors)

    def keep(self, parameters: Sequence[Tensor], rows: Tensor) -> None:
        """Cut to the members of these rows, int64 (K',), whose parameters are given."""
        self.slots = [
            {name: slot.index_select(0, rows) for name, slot in slots.items()}
            for slots in self.slots
        ]
        self._settings = [self._settings[row] for row in rows.tolist()]
        self._take(parameters)

    def state(self, member: int) -> dict[str, Tensor]:
        """One member's state, as ``PlainOptimizer.state`` names it."""
        settings = self._settings[member]
        found = {}
        for index, slots in enumerate(self.slots):
            if self._num_steps[index] == 0:
                continue
            for name, slot in slots.items():
                if name != "momentum_buffer" or settings.momentum != 0:
                    found[f"{index}.{name}"] = slot[member].clone()
            if self._name != "sgd":
                found[f"{index}.step"] = torch.tensor(float(self._num_steps[index]))
        return found

    def load(self, states: Sequence[Mapping[str, Tensor]]) -> None:
        """Take over states that ``state`` or ``PlainOptimizer.state`` returned, one a member.

        All of them after the same number of updates; empty ones: before the first.
        """
        for member, state in enumerate(states):
            for key, value in state.items():
                index, _, name = key.partition(".")
                if name in self.slots[int(index)]:
                    self.slots[int(index)][name][member].copy_(value)
        for at in range(len(self.slots)):
            own = [key for key in states[0] if key.startswith(f"{at}.")]
            step = states[0].get(f"{at}.step")  # SGD has none, and needs none
            self._num_steps[at] = bool(own) if step is None else int(step)

    def _take(self, parameters: Sequence[Tensor]) -> None:
        self._parameters = list(parameters)
        self._native = native_step(self._name, parameters) if self._is_native else None
        kinds = dict.fromkeys((each.dtype, each.device) for each in self._parameters)
        self._rates = {
            (dtype, device): {
                name: torch.tensor(
                    [getattr(each, name) for each in self._settings], dtype=dtype, device=device
                )
                for name in ("lr", "weight_decay", "momentum", "beta1", "beta2")
            }
            for dtype, device in kinds
        }
        self._rows: list[tuple[list[Tensor], dict[str, list[Tensor]]]] = []
        self._rows_of: list[int] = []

    def _step_over_members(self, reached: Sequence[int], factors: Sequence[float]) -> None:
        of_kind = {
            kind: {**rates, "lr": rates["lr"] * rates["lr"].new_tensor(factors)}
            for kind, rates in self._rates.items()
        }
        for index in reached:
            parameter = self._parameters[index]
            assert parameter.grad is not None
            shape = (-1,) + (1,) * (parameter.ndim - 1)
            rates = of_kind[parameter.dtype, parameter.device]
            UPDATES[self._name](
                _MemberStep(
                    parameter,
                    parameter.grad,
                    self.slots[index],
                    {name: rate.view(shape) for name, rate in rates.items()},
                    self._num_steps[index],
                    self._settings[0].nesterov,
                )
            )

    def _step_by_rows(self, reached: list[int], factors: Sequence[float]) -> None:
        """Row by row even where all rates are equal: a kernel's last few elements round in
        another way, and where a row ends must not depend on who stands beside it."""
        assert self._native is not None
        if reached != self._rows_of:
            self._rows, self._rows_of = self._cut(reached), reached
        steps = [torch.tensor(float(self._num_steps[index])) for index in reached]
        all_gradients = [self._parameters[index].grad for index in reached]
        gradients = [each.unbind(0) for each in all_gradients if each is not None]
        own = zip(*gradients, strict=True)
        for (parameters, slots), of_member, settings, factor in zip(
            self._rows, own, self._settings, factors, strict=True
        ):
            rows = MemberRows(parameters, list(of_member), slots, steps)
            self._native(rows, settings, settings.lr * factor)

    def _cut(self, reached: Sequence[int]) -> list[tuple[list[Tensor], dict[str, list[Tensor]]]]:
        """Each member's rows of the parameters and of their state: views, cut once."""
        parameters = [self._parameters[index].detach().unbind(0) for index in reached]
        slots = {
            name: [self.slots[index][name].unbind(0) for index in reached] for name in self._slots
        }
        return [
            (
                [each[member] for each in parameters],
                {name: [each[member] for each in cut] for name, cut in slots.items()},
            )
            for member in range(len(self._settings))
        ]

    @property
    def _slots(self) -> tuple[str, ...]:
        return SLOTS[self._name]


class _MemberStep(NamedTuple):
    """What one step of a parameter goes by; all tensors [K, ...], rates [K, 1, ...]."""

    weight: Tensor
    gradient: Tensor
    slots: dict[str, Tensor]
    rates: dict[str, Tensor]
    num_steps: int
    nesterov: bool

    @property
    def decayed(self) -> Tensor:
        """The gradient with the decay as part of it."""
        return self.gradient + self.rates["weight_decay"] * self.weight


def _sgd(step: _MemberStep) -> None:
    """Sutskever et al. 2013, in torch's form: the rate outside the velocity."""
    momentum, gradient = step.rates["momentum"], step.decayed
    velocity = step.slots["momentum_buffer"].mul_(momentum).add_(gradient)
    direction = gradient + momentum * velocity if step.nesterov else velocity
    step.weight.sub_(step.rates["lr"] * direction)


def _adagrad(step: _MemberStep) -> None:
    """Duchi et al. 2011, the diagonal form."""
    gradient = step.decayed
    total = step.slots["sum"].addcmul_(gradient, gradient)
    step.weight.sub_(step.rates["lr"] * gradient / (total.sqrt() + ADAGRAD_EPS))


def _rmsprop(step: _MemberStep) -> None:
    """Hinton 2012 (lecture 6e), with torch's momentum."""
    gradient = step.decayed
    square = step.slots["square_avg"].mul_(RMSPROP_ALPHA)
    square.addcmul_(gradient, gradient, value=1 - RMSPROP_ALPHA)
    scaled = gradient / (square.sqrt() + RMSPROP_EPS)
    velocity = step.slots["momentum_buffer"].mul_(step.rates["momentum"]).add_(scaled)
    step.weight.sub_(step.rates["lr"] * velocity)


def _adam(step: _MemberStep) -> None:
    """Kingma & Ba 2015, decay as part of the gradient."""
    _adam_step(step, step.decayed)


def _adamw(step: _MemberStep) -> None:
    """Loshchilov & Hutter 2019: the decay decoupled from the gradient."""
    step.weight.mul_(1 - step.rates["lr"] * step.rates["weight_decay"])
    _adam_step(step, step.gradient)


def _adam_step(step: _MemberStep, gradient: Tensor) -> None:
    rates, slots = step.rates, step.slots
    beta1, beta2 = rates["beta1"], rates["beta2"]
    mean = slots["exp_avg"].mul_(beta1).add_((1 - beta1) * gradient)
    square = slots["exp_avg_sq"].mul_(beta2).add_((1 - beta2) * gradient.square())
    size = square.sqrt() / (1 - beta2**step.num_steps).sqrt() + ADAM_EPS
    step.weight.sub_(rates["lr"] / (1 - beta1**step.num_steps) * mean / size)


UPDATES: dict[str, Callable[[_MemberStep], None]] = {
    "sgd": _sgd,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adam": _adam,
    "adamw": _adamw,
}
