"""The tasks that all tools search: same models, same data, same ranges."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from examples.cifar10_two_layer import TwoLayerNet
from recipes import Categorical, Float, Int, Task
from recipes.space import Params
from recipes.task import SplitName
from worker.data.stratified import draw_stratified
from worker.tasks.digits import DigitsConv, DigitsMLP

SUBSET_SEED = 7
SUBSET: dict[SplitName, int] = {"train": 8_000, "val": 2_000, "test": 10_000}
"""10,000 images to learn and choose by; the test split whole."""


class CifarMLP(TwoLayerNet):  # type: ignore[misc]  # the example is not typed
    """The course's two-layer net on 10,000 of CIFAR-10's images."""

    num_classes = 10
    space = {
        "lr": Float(1e-4, 1e-1, log=True),
        "weight_decay": Float(1e-5, 1e-1, log=True, zero=True),
        "batch_size": Categorical([64, 128, 256]),
    }

    @cache  # noqa: B019  # a task lives as long as its process
    def data(self, split: SplitName) -> tuple[Tensor, Tensor]:
        """The subset's images, float32 (N, 3, 32, 32), and labels."""
        inputs, labels = super().data(split)
        rows = draw_stratified(labels, len(labels), SUBSET[split], SUBSET_SEED)
        return inputs[rows], labels[rows]


class CifarConv(CifarMLP):
    """Two convolutions, each with ReLU and pooling, and a linear layer, on the same images."""

    space = {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
        "channels": Int(8, 32, log=True),
    }

    def model(self, params: Params) -> nn.Module:
        """A fresh network with ``params["channels"]`` filters in its first layer."""
        channels = int(params["channels"])
        return nn.Sequential(
            *(nn.Conv2d(3, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(2 * channels * 64, 10)),
        )


@dataclass(frozen=True, slots=True)
class Searched:
    """A task and how long it is searched.

    Attributes:
        path: As ``sevenstep run`` takes it.
        task: The class itself.
        seconds: From the command to the end.
        seeds: Repeats.
        needs_images: Whether CIFAR-10 must be at hand.
    """

    path: str
    task: type[Task]
    seconds: float
    seeds: int
    needs_images: bool = False


def _own(name: str) -> str:
    return f"{__name__}:{name}"


SEARCHED = {
    "digits-mlp": Searched("digits", DigitsMLP, 60, 5),
    "digits-conv": Searched("worker.tasks.digits:DigitsConv", DigitsConv, 60, 5),
    "cifar-mlp": Searched(_own("CifarMLP"), CifarMLP, 180, 3, needs_images=True),
    "cifar-conv": Searched(_own("CifarConv"), CifarConv, 180, 3, needs_images=True),
}
EPOCHS = 20
"""Most that a peer trains a setting: as many as Sevenstep's own fine search does."""


def task_at_hand(name: str) -> bool:
    """Whether this machine has the task's data."""
    return not SEARCHED[name].needs_images or "SEVENSTEP_CIFAR10_DIR" in os.environ


def one_thread() -> None:
    """As every tool trains here: two trials at a time, a core each."""
    torch.set_num_threads(1)
