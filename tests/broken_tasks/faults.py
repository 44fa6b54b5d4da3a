"""Ten faults, each a small change to a healthy task, and where each must be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes import Float, Task
from tests.broken_tasks.healthy import ARCHITECTURES, HEALTHY

TaskClass = type[Task]
DEAD_BIAS = -100.0


def first_layer(model: nn.Module) -> nn.Module:
    """The first module with parameters of its own."""
    return next(each for each in model.modules() if list(each.parameters(recurse=False)))


def loss_summed(healthy: TaskClass) -> TaskClass:
    class LossSummed(healthy):
        def loss(self, output: Tensor, target: Tensor) -> Tensor:
            return F.cross_entropy(output, target, reduction="sum")

    return LossSummed


def softmax_twice(healthy: TaskClass) -> TaskClass:
    class SoftmaxTwice(healthy):
        def model(self, params):
            return nn.Sequential(super().model(params), nn.Softmax(dim=1))

    return SoftmaxTwice


def labels_out_of_range(healthy: TaskClass) -> TaskClass:
    """Classes counted from 1."""

    class LabelsOutOfRange(healthy):
        def data(self, split):
            inputs, targets = super().data(split)
            return inputs, targets + 1

    return LabelsOutOfRange


def frozen_layer(healthy: TaskClass) -> TaskClass:
    class FrozenLayer(healthy):
        def model(self, params):
            model = super().model(params)
            for parameter in first_layer(model).parameters():
                parameter.requires_grad_(False)
            return model

    return FrozenLayer


def detached_layer(healthy: TaskClass) -> TaskClass:
    """The first layer's output is cut from the graph."""

    def detach(module, inputs, output):
        if isinstance(output, tuple):  # recurrent layers: states, last state
            return tuple(part.detach() for part in output)
        return output.detach()

    class DetachedLayer(healthy):
        def model(self, params):
            model = super().model(params)
            first_layer(model).register_forward_hook(detach)
            return model

    return DetachedLayer


def raw_inputs(healthy: TaskClass) -> TaskClass:
    """Inputs from 0 to 255, as files hold them."""

    class RawInputs(healthy):
        def data(self, split):
            inputs, targets = super().data(split)
            train, _ = super().data("train")
            return (inputs - train.min()) / (train.max() - train.min()) * 255.0, targets

    return RawInputs


def nan_sample(healthy: TaskClass) -> TaskClass:
    """One value of one training sample is missing."""

    class NanSample(healthy):
        def data(self, split):
            inputs, targets = super().data(split)
            if split == "train":
                inputs = inputs.clone()
                inputs[17].view(-1)[5] = float("nan")
            return inputs, targets

    return NanSample


def rates_too_low(healthy: TaskClass) -> TaskClass:
    class RatesTooLow(healthy):
        space = {**healthy.space, "lr": Float(1e-9, 1e-8, log=True, hard=True)}

    return RatesTooLow


def dead_relus(healthy: TaskClass) -> TaskClass:
    """Biases so far below zero that no ReLU ever opens."""

    class DeadRelus(healthy):
        def model(self, params):
            model = super().model(params)
            layers = (nn.Linear, nn.Conv2d, nn.BatchNorm2d)
            found = [each for each in model.modules() if isinstance(each, layers)]
            for layer in found[:-1]:  # the last one gives the outputs
                if layer.bias is not None:
                    nn.init.constant_(layer.bias, DEAD_BIAS)
            return model

    return DeadRelus


def input_ignored(healthy: TaskClass) -> TaskClass:
    """The input is multiplied by zero."""

    class Blind(nn.Module):
        def __init__(self, seeing: nn.Module) -> None:
            super().__init__()
            self.seeing = seeing

        def forward(self, x: Tensor) -> Tensor:
            return self.seeing(x * 0.0)

    class InputIgnored(healthy):
        def model(self, params):
            return Blind(super().model(params))

    return InputIgnored


def labels_shuffled(healthy: TaskClass) -> TaskClass:
    """Every split's labels in an order of their own."""

    class LabelsShuffled(healthy):
        def data(self, split):
            inputs, targets = super().data(split)
            generator = torch.Generator().manual_seed(len(split))
            return inputs, targets[torch.randperm(len(targets), generator=generator)]

    return LabelsShuffled


@dataclass(frozen=True)
class Fault:
    """A fault: how it is made, and the first finding it must cause.

    Attributes:
        mutate: A healthy task class -> one with the fault.
        code: The finding that must come first.
        step: The number of the step that must find it.
        states: What the step may end as.
    """

    mutate: Callable[[TaskClass], TaskClass]
    code: str
    step: int
    states: frozenset[str]


FAILED, WARNED = frozenset({"failed"}), frozenset({"warning"})
FAULTS: dict[str, Fault] = {
    "loss_summed": Fault(loss_summed, "sum_reduction", 1, FAILED),
    "softmax_twice": Fault(softmax_twice, "double_softmax", 1, FAILED),
    "labels_out_of_range": Fault(labels_out_of_range, "labels_out_of_range", 1, FAILED),
    "frozen_layer": Fault(frozen_layer, "frozen_parameters", 1, WARNED),
    "detached_layer": Fault(detached_layer, "frozen_parameters", 1, WARNED),
    "raw_inputs": Fault(raw_inputs, "inputs_not_normalised", 1, FAILED | WARNED),
    "nan_sample": Fault(nan_sample, "non_finite_data", 1, FAILED),
    "rates_too_low": Fault(rates_too_low, "lr_too_low", 3, FAILED),
    "dead_relus": Fault(dead_relus, "dead_relu", 1, FAILED),
    "input_ignored": Fault(input_ignored, "ignores_input", 1, FAILED),
    "labels_shuffled": Fault(labels_shuffled, "noisy_labels", 3, FAILED),
}
"""Ten faults by name, the frozen layer in two ways."""


@cache
def task_class(fault: str | None, architecture: str) -> TaskClass:
    """The class of a fault in an architecture, or (None) of the healthy twin.

    Every class has a name of its own, so that it can be told from the others and found
    by ``reference``.
    """
    if fault is None:
        return HEALTHY[architecture]
    broken = FAULTS[fault].mutate(ARCHITECTURES[architecture])
    broken.__name__ = broken.__qualname__ = f"{fault}_{architecture}"
    return broken


def make(fault: str | None, architecture: str) -> Task:
    """A task with one fault (None: without) in one of ``ARCHITECTURES``."""
    return task_class(fault, architecture)()


def reference(fault: str | None, architecture: str) -> str:
    """The same as a task path, for a worker in another process."""
    return f"{Path(__file__).with_name('zoo.py')}:{task_class(fault, architecture).__name__}"
