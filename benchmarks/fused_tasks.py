"""Tasks that the benchmark of fused training is run on, beside the built-in ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from recipes import Float, Task
from recipes.space import Params
from recipes.task import SplitName
from worker.tasks.digits import DigitsMLP

TOKENS, LENGTH = 50, 12


class TwoLayerShape(Task):
    """Random images of CIFAR-10's shape, and the course's two-layer net."""

    num_classes = 10
    space = {"lr": Float(1e-4, 1e-1, log=True)}

    def data(self, split: SplitName) -> tuple[Tensor, Tensor]:
        """Noise, and labels that do not depend on it."""
        num = {"train": 10_000, "val": 2_000, "test": 100}[split]
        generator = torch.Generator().manual_seed(num)
        images = torch.randn(num, 3, 32, 32, generator=generator)
        return images, torch.randint(10, (num,), generator=generator)

    def model(self, params: Params) -> nn.Module:
        """50 hidden units."""
        return nn.Sequential(
            nn.Flatten(), nn.Linear(3 * 32 * 32, 50), nn.ReLU(), nn.Linear(50, 10)
        )


def two_layer_net() -> Task:
    """On CIFAR-10 where it is at hand."""
    if "SEVENSTEP_CIFAR10_DIR" not in os.environ:
        return TwoLayerShape()
    from examples.cifar10_two_layer import TwoLayerNet

    return TwoLayerNet()


class DroppedOut(DigitsMLP):
    """Two hidden layers with dropout of a searched rate."""

    space = {"lr": Float(1e-4, 1.0, log=True), "dropout": Float(0.0, 0.5)}

    def model(self, params: Params) -> nn.Module:
        """64 hidden units twice."""
        rate = float(params["dropout"])
        return nn.Sequential(
            *(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(rate)),
            *(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(rate), nn.Linear(64, 10)),
        )


class Measured(DigitsMLP):
    """With metrics of its own, which are taken of one model after the other."""

    def metrics(self, output: Tensor, target: Tensor) -> Mapping[str, float]:
        """How often the right class is among the first three, and how sure the model is."""
        among = (output.topk(3).indices == target.unsqueeze(1)).any(1)
        sure = output.softmax(1).amax(1)
        return {"top3": float(among.double().mean()), "confidence": float(sure.mean())}


class Normed(DigitsMLP):
    """A batch norm behind each of two convolutions."""

    space = {"lr": Float(1e-4, 1.0, log=True)}

    def model(self, params: Params) -> nn.Module:
        """8 channels, 8 x 8 pixels."""
        return nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
            *(nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)),
            *(nn.ReLU(), nn.Flatten(), nn.Linear(128, 10)),
        )


class Attends(nn.Module):
    """Tokens and their places embedded, one layer of attention, a mean over the places."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(TOKENS, 32), nn.Parameter(torch.zeros(LENGTH, 32))
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(32, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, LENGTH) -> (B, 4)."""
        x = self.tokens(tokens) + self.places
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        return self.head(x.mean(1))  # type: ignore[no-any-return]


class Sequences(Task):
    """Rows of tokens, and which quarter of them is the commonest."""

    num_classes = 4
    space = {"lr": Float(1e-4, 1e-1, log=True)}

    def data(self, split: SplitName) -> tuple[Tensor, Tensor]:
        """Drawn evenly."""
        num = {"train": 2_000, "val": 500, "test": 100}[split]
        tokens = torch.randint(TOKENS, (num, LENGTH), generator=torch.Generator().manual_seed(num))
        quarters = nn.functional.one_hot(tokens * 4 // TOKENS, 4)
        return tokens, quarters.sum(1).argmax(1)

    def model(self, params: Params) -> nn.Module:
        """32 wide, 4 heads."""
        return Attends()


class Large(DigitsMLP):
    """Two hidden layers of 512, at large batches: a core is busy with one of them."""

    space = {"lr": Float(1e-4, 1.0, log=True)}

    def model(self, params: Any) -> nn.Module:
        """A quarter of a million weights."""
        return nn.Sequential(
            *(nn.Flatten(), nn.Linear(64, 512), nn.ReLU()),
            *(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)),
        )
