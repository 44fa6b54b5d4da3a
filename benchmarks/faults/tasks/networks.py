"""The networks that are more than a stack of linear layers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.faults.tasks.base import mlp

Activation = Callable[[], nn.Module]


def conv_net(channels: int, width: int, num_outputs: int, act: Activation) -> nn.Sequential:
    """Two 3 x 3 convolutions with pooling, for images of 8 x 8 pixels, and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        act(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        act(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * width, num_outputs),
    )


class Block(nn.Module):
    """Two batch-normed convolutions and a way round them (He et al. 2016)."""

    def __init__(self, width: int, act: Activation) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.act1 = act()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.act2 = act()

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x)))))
        return torch.as_tensor(self.act2(x + out))


def residual_net(channels: int, width: int, num_outputs: int, act: Activation) -> nn.Sequential:
    """A batch-normed stem and one block, for images of 8 x 8 pixels."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        act(),
        nn.MaxPool2d(2),
        Block(width, act),
        nn.Flatten(),
        nn.Linear(16 * width, num_outputs),
    )


class Recurrent(nn.Module):
    """A GRU over (N, time, features); the last state goes through a small MLP."""

    def __init__(self, num_features: int, width: int, num_outputs: int, act: Activation) -> None:
        super().__init__()
        self.reader = nn.GRU(num_features, width, batch_first=True)
        self.head = mlp(width, width, num_outputs, depth=1, act=act)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.reader(x)
        return torch.as_tensor(self.head(states[:, -1]))


class Attention(nn.Module):
    """One block of attention over the 16 cells of 2 x 2 pixels of an image (N, 3, 8, 8)."""

    def __init__(self, width: int, num_outputs: int, act: Activation) -> None:
        super().__init__()
        self.embed = nn.Linear(12, width)
        self.place = nn.Parameter(0.02 * torch.randn(16, width))
        self.norm1 = nn.LayerNorm(width)
        self.attend = nn.MultiheadAttention(width, num_heads=2, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mix = nn.Sequential(nn.Linear(width, 2 * width), act(), nn.Linear(2 * width, width))
        self.head = nn.Linear(width, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        cells = x.unfold(2, 2, 2).unfold(3, 2, 2)  # (N, 3, 4, 4, 2, 2)
        x = self.embed(cells.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)) + self.place
        normed = self.norm1(x)
        x = x + self.attend(normed, normed, normed, need_weights=False)[0]
        x = x + self.mix(self.norm2(x))
        return torch.as_tensor(self.head(x.mean(1)))
