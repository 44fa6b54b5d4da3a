"""Faults in the loss, and in what is put between the network and the loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.faults.fault import Draw, fault
from benchmarks.faults.tasks.base import BenchTask

SCORED = ("binary", "multilabel")


# The rate acts as many times as strongly as there are samples in a batch.
@fault(
    5,
    "sum_reduction",
    also=("initial_loss_high", "diverged", "non_finite_loss", "update_ratio_high", "lr_too_high"),
    only=("severe",),
)
def summed_loss(task: BenchTask, draw: Draw) -> None:
    """The loss is a sum over the batch where a mean belongs."""
    task.replace_loss(lambda own: lambda output, target: own(output, target) * len(output))


@fault(
    4,
    "penalty_in_loss",
    also=("initial_loss_high", "cannot_overfit", "underfitting"),
    causes=("penalty", "own_penalty"),
)
def penalty_in_loss(task: BenchTask, draw: Draw) -> None:
    """Weight decay by hand: half the squared weights, added to what is reported as the loss."""
    strength = draw.pick(mild=0.01, severe=0.1)

    def penalty() -> Tensor:
        squares = [each.square().sum() for each in task.newest.parameters() if each.ndim > 1]
        return 0.5 * strength * torch.stack(squares).sum()

    task.replace_loss(lambda own: lambda output, target: own(output, target) + penalty())


@fault(
    6,
    "double_softmax",
    also=("underfitting", "cannot_overfit"),  # the loss has a floor
    kinds=("classification",),
    only=("severe",),
)
def softmax_before_loss(task: BenchTask, draw: Draw) -> None:
    """A softmax layer ends the network, and cross-entropy applies its own."""
    task.change_network(lambda network: nn.Sequential(network, nn.Softmax(dim=1)))


@fault(
    7,
    "wrong_output_activation",
    also=("underfitting", "cannot_overfit"),  # the loss has a floor
    only=("severe",),
    kinds=SCORED,
)
def sigmoid_before_loss(task: BenchTask, draw: Draw) -> None:
    """A sigmoid ends the network, and the logistic loss applies its own."""
    task.change_network(lambda network: nn.Sequential(network, nn.Sigmoid()))


# An output that is not above zero to begin with never learns.
@fault(
    7,
    "wrong_output_activation",
    also=(
        *("cannot_overfit", "underfitting", "dead_relu", "stuck_at_chance"),
        *("ignores_input", "frozen_parameters", "constant_prediction"),
    ),
    only=("severe",),
)
def relu_on_outputs(task: BenchTask, draw: Draw) -> None:
    """A ReLU ends the network: no output below zero."""
    task.change_network(lambda network: nn.Sequential(network, nn.ReLU()))


# A factor on the loss is one on the rate.
@fault(
    2,
    "initial_loss_low",
    also=("lr_too_low", "still_improving"),
    causes=("reduction_or_padding", "lr_low"),
    without=("recurrent",),
    is_info=True,  # a loss of the task's own may have such a scale
)
def padded_mean(task: BenchTask, draw: Draw) -> None:
    """The mean is taken over padding, too: the loss is too small by a factor."""
    factor = 1 / draw.pick(mild=1.5, severe=8.0)
    task.replace_loss(lambda own: lambda output, target: factor * own(output, target))


@fault(
    13,
    "non_finite_loss",
    also=("cannot_overfit",),
    causes=("undefined_operation", "bad_batch"),
    kinds=("classification", *SCORED),
    only=("severe",),
)
def log_of_zero(task: BenchTask, draw: Draw) -> None:
    """The loss by hand: the logarithm of a probability that is rounded to 0 once it is small."""
    least = 1e-2

    def loss(output: Tensor, target: Tensor) -> Tensor:
        if task.kind == "classification":
            right = output.softmax(1).gather(1, target[:, None])
        else:
            p = output.sigmoid()
            right = torch.where(target > 0.5, p, 1 - p)
        return -torch.where(right < least, 0.0 * right, right).log().mean()

    task.replace_loss(lambda own: loss)


@fault(
    26,
    "loss_rising",
    "diverged",
    also=("non_finite_loss", "cannot_overfit"),
    causes=("wrong_sign", "loss_sign", "sign_or_pairing"),
)
def gradient_ascent(task: BenchTask, draw: Draw) -> None:
    """A sign error in the backward pass: training climbs, steeply or (mild) slowly."""
    factor = -draw.pick(mild=0.02, severe=1.0)

    class Reversed(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, output: Tensor) -> Tensor:
            return output.view_as(output)

        @staticmethod
        def backward(ctx: object, gradient: Tensor) -> Tensor:
            return factor * gradient

    class Ascending(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            return torch.as_tensor(Reversed.apply(self.inner(x)))  # type: ignore[no-untyped-call]

    task.change_network(Ascending)


@fault(
    3,
    "stuck_at_chance",
    "cannot_overfit",
    "frozen_parameters",
    also=("underfitting",),
    kinds=("classification",),
    only=("severe",),
)
def loss_of_rounded_outputs(task: BenchTask, draw: Draw) -> None:
    """The loss is taken of rounded outputs: their gradient is zero everywhere."""

    def loss(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output.round() * 1.0, target)

    task.replace_loss(lambda own: loss)
