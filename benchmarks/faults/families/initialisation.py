"""Faults in how the weights start, and in networks that no good start is left for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.faults.fault import Draw, fault
from benchmarks.faults.tasks.base import BenchTask, weighted


@torch.no_grad()
def scale_weights(network: nn.Module, factor: float, *, hidden: bool) -> nn.Module:
    """Multiply the weights of the hidden layers, or those of the last one."""
    found = weighted(network)
    for layer in found[:-1] if hidden else found[-1:]:
        layer.weight.mul_(factor)
    return network


# What flows back is as large as the weights it comes through; the start must be unlearned.
@fault(
    1,
    "initial_loss_high",
    also=("exploding_gradient", "diverged", "still_improving"),
    causes=("outputs_too_large",),
)
def large_outputs(task: BenchTask, draw: Draw) -> None:
    """The last layer's weights are drawn far too large."""
    factor = draw.pick(mild=12.0, severe=60.0)
    task.change_network(lambda network: scale_weights(network, factor, hidden=False))


@fault(
    24,
    "activation_scale_drift",
    "exploding_gradient",
    also=("initial_loss_high", "diverged", "non_finite_loss"),
    causes=("init_scale", "weight_scale"),
    traits=("deepens",),
)
def growing_activations(task: BenchTask, draw: Draw) -> None:
    """Eight layers whose weights ignore their number of inputs: signals grow layer by layer."""
    task.depth = 8
    factor = draw.pick(mild=4.5, severe=9.0)
    task.change_network(lambda network: scale_weights(network, factor, hidden=True))


# Nothing of the input arrives, so nothing is learned of it; biases alone decide which units
# are above zero.
@fault(
    24,
    "activation_scale_drift",
    "vanishing_gradient",
    "flat_then_drop",
    also=(
        *("stuck_at_chance", "cannot_overfit", "underfitting"),
        *("constant_prediction", "ignores_input", "dead_relu"),
    ),
    causes=("init_scale", "weight_scale", "bad_initialisation"),
    traits=("deepens",),
)
def shrinking_activations(task: BenchTask, draw: Draw) -> None:
    """Eight layers drawn too small: signals shrink layer by layer."""
    task.depth = 8
    factor = draw.pick(mild=0.7, severe=0.2)
    task.change_network(lambda network: scale_weights(network, factor, hidden=True))


@fault(
    22,
    "vanishing_gradient",
    "activation_scale_drift",
    also=(
        *("stuck_at_chance", "cannot_overfit", "flat_then_drop"),
        *("underfitting", "constant_prediction"),
    ),
    causes=("bad_initialisation", "gradient_does_not_arrive", "init_scale"),
    traits=("deepens",),
)
def deep_sigmoids(task: BenchTask, draw: Draw) -> None:
    """Sigmoids in four (mild) or ten layers: the gradient is lost on its way."""
    task.depth = round(draw.pick(mild=4, severe=10))
    task.activation = nn.Sigmoid


# Only the last layer learns, on random features of two values: by heart, or not at all.
@fault(
    21,
    "saturated_activation",
    also=("overfitting", "overtraining", "underfitting", "cannot_overfit", "stuck_at_chance"),
    causes=("large_weights",),
    traits=("deepens",),
)
def saturated_tanh(task: BenchTask, draw: Draw) -> None:
    """Tanh units driven into their flat ends by large weights."""
    task.activation = nn.Tanh
    factor = draw.pick(mild=25.0, severe=200.0)
    task.change_network(lambda network: scale_weights(network, factor, hidden=True))


# In a narrow layer all units are shut.
@fault(
    20,
    "dead_relu",
    also=(
        *("stuck_at_chance", "cannot_overfit", "ignores_input"),
        *("underfitting", "constant_prediction"),
    ),
    traits=("relu",),
    without=("recurrent",),
)
def dead_units(task: BenchTask, draw: Draw) -> None:
    """Units whose bias keeps them shut for every sample: six in ten, or all but one in twenty."""
    share = draw.pick(mild=0.6, severe=0.95)

    class Shut(nn.Module):
        """Adds a bias far below zero to the first units."""

        def __init__(self) -> None:
            super().__init__()
            self.active = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            count = max(1, round(share * x.shape[1])) if x.ndim != 3 else round(share * x.shape[2])
            bias = torch.zeros(x.shape[-1] if x.ndim == 3 else x.shape[1])
            bias[:count] = -1e4
            return torch.as_tensor(self.active(x + (bias[:, None, None] if x.ndim == 4 else bias)))

    task.activation = Shut


@fault(
    19,
    "flat_then_drop",
    "activation_scale_drift",
    also=(
        *("vanishing_gradient", "still_improving", "dead_relu"),
        *("stuck_at_chance", "underfitting", "constant_prediction", "cannot_overfit"),
    ),
    causes=("bad_initialisation", "prior_first"),
    traits=("deepens",),
    epochs=1.5,
)
def tiny_weights(task: BenchTask, draw: Draw) -> None:
    """Four layers drawn so small that the loss stands still before it falls."""
    task.depth = 4
    factor = draw.pick(mild=0.35, severe=0.2)
    task.change_network(lambda network: scale_weights(network, factor, hidden=True))
