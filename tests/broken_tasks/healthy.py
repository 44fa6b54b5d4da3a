"""Healthy tasks on digits: four classifiers, a regression and a binary task."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recipes import Float, Task
from worker.tasks.digits import splits

SPACE = {
    "lr": Float(1e-4, 1.0, log=True),
    "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
}


class Digits(Task):
    """The data all classifiers share."""

    kind = "classification"
    num_classes = 10
    space = SPACE

    def data(self, split):
        return splits()[split]


class MLP(Digits):
    def model(self, params):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


class ConvNet(Digits):
    def model(self, params):
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 16, 10),
        )


class Block(nn.Module):
    """Two batch-normed convolutions and a way round them (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        return self.relu2(x + out)


class ResNet(Digits):
    def model(self, params):
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            Block(8),
            nn.Flatten(),
            nn.Linear(8 * 16, 10),
        )


class RowReader(nn.Module):
    """Reads an image row by row, then classifies the last state."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(8, 32, batch_first=True)
        self.hidden = nn.Linear(32, 32)
        self.relu = nn.ReLU()
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x.squeeze(1))
        return self.head(self.relu(self.hidden(states[:, -1])))


class Recurrent(Digits):
    def model(self, params):
        return RowReader()


class InkRegression(Task):
    """How much ink the lower half of an image holds, standardised."""

    kind = "regression"
    space = SPACE

    def data(self, split):
        inputs, _ = splits()[split]
        train_inputs, _ = splits()["train"]
        ink, train_ink = (x[:, :, 4:].mean((1, 2, 3)) for x in (inputs, train_inputs))
        return inputs, ((ink - train_ink.mean()) / train_ink.std())[:, None]

    def model(self, params):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))


class EvenBinary(Task):
    """Whether a digit is even."""

    kind = "binary"
    space = SPACE

    def data(self, split):
        inputs, labels = splits()[split]
        return inputs, (labels % 2 == 0).to(torch.float32)

    def model(self, params):
        return nn.Sequential(
            nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0)
        )


ARCHITECTURES: dict[str, type[Task]] = {
    "mlp": MLP,
    "convnet": ConvNet,
    "resnet": ResNet,
    "recurrent": Recurrent,
}
"""The classifiers every fault is put into."""

HEALTHY: dict[str, type[Task]] = {
    **ARCHITECTURES,
    "regression": InkRegression,
    "binary": EvenBinary,
}
"""Tasks that must pass all steps without a warning."""
