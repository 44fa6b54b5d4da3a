"""Small tasks for the tests of training: one for each kind, and some that misbehave."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes import Task
from recipes.run import MemberSpec, RunSpec
from worker.data.data import load_data
from worker.training.collecting import CollectingReporter
from worker.training.loop import train

CPU = torch.device("cpu")


def blobs(split: str, *, num_classes: int = 4) -> tuple[Tensor, Tensor]:
    """Separable clouds of points, float32 (N, 8), with int64 labels (N,)."""
    num = {"train": 257, "val": 120, "test": 60}[split]
    generator = torch.Generator().manual_seed({"train": 1, "val": 2, "test": 3}[split])
    labels = torch.arange(num) % num_classes
    centres = torch.randn(num_classes, 8, generator=torch.Generator().manual_seed(0)) * 2
    return centres[labels] + torch.randn(num, 8, generator=generator), labels


class Blobs(Task):
    num_classes = 4

    def data(self, split: str) -> tuple[Tensor, Tensor]:
        return blobs(split)

    def model(self, params: Any) -> nn.Module:
        return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


class Regularised(Blobs):
    """Everything that draws random numbers or keeps state: what a resume must get right."""

    def model(self, params: Any) -> nn.Module:
        return nn.Sequential(
            nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 4)
        )

    def augment(
        self, batch: tuple[Tensor, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        inputs, target = batch
        return inputs + 0.1 * torch.randn(inputs.shape, generator=generator), target


class Binary(Task):
    kind = "binary"

    def data(self, split: str) -> tuple[Tensor, Tensor]:
        inputs, labels = blobs(split)
        return inputs, (labels % 2).float()[:, None]

    def model(self, params: Any) -> nn.Module:
        return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))


class Multilabel(Task):
    kind = "multilabel"

    def data(self, split: str) -> tuple[Tensor, Tensor]:
        inputs, labels = blobs(split)
        return inputs, torch.stack([labels % 2, labels // 2, labels * 0], 1).float()

    def model(self, params: Any) -> nn.Module:
        return nn.Linear(8, 3)


class Regression(Task):
    kind = "regression"

    def data(self, split: str) -> tuple[Tensor, Tensor]:
        inputs, _ = blobs(split)
        return inputs, inputs[:, :2].sin()

    def model(self, params: Any) -> nn.Module:
        return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))


class Positions(Task):
    """A label at each of five places, some of them ignored."""

    num_classes = 4
    ignore_index = -1

    def data(self, split: str) -> tuple[Tensor, Tensor]:
        inputs, labels = blobs(split)
        target = labels[:, None].repeat(1, 5)
        target[::3, 2:] = -1
        target[0] = -1
        return inputs, target

    def model(self, params: Any) -> nn.Module:
        return nn.Sequential(nn.Linear(8, 20), nn.Unflatten(1, (4, 5)))


class OwnLoss(Blobs):
    """The default loss and accuracy again, as methods of the task's own."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target)

    def metrics(self, output: Tensor, target: Tensor) -> dict[str, float]:
        return {"error": float((output.argmax(1) != target).double().mean())}


class Raises(Blobs):
    """Raises in the forward pass, where ``params["fails"]`` says so."""

    def model(self, params: Any) -> nn.Module:
        return Fails() if params["fails"] else super().model(params)


class Fails(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        raise KeyError("no such thing")


def run_spec(*params: dict[str, Any], **settings: Any) -> RunSpec:
    """A run of one member a setting, trials numbered from 0."""
    members = tuple(
        MemberSpec(trial=trial, params={"lr": 0.05, **each}, seed=11, data_seed=5)
        for trial, each in enumerate(params or ({},))
    )
    return RunSpec(members=members, **settings)


def trained(
    task: Task, run: RunSpec, report: CollectingReporter | None = None, **arguments: Any
) -> CollectingReporter:
    """Train on the CPU, one thread, and give back what was reported."""
    torch.set_num_threads(1)
    report = report or CollectingReporter()
    train(task, load_data(task, CPU), run, report, **arguments)
    return report
