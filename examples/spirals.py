"""Three spirals in the plane: a task in one file, data and all.

    sevenstep run examples/spirals.py
    sevenstep run examples/spirals.py --arg noise=0.5

Copy it and change four things: the data, the model, the number of classes, the space.
"""

import math

import torch
from torch import nn

from recipes import Categorical, Float, Int, Task


class Spirals(Task):
    """Tell three arms of a spiral apart, given a point's two coordinates."""

    kind = "classification"
    num_classes = 3

    # What may vary. The trainer knows lr, weight_decay, optimizer, batch_size and a few
    # more by name; every other name is for model() below.
    space = {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
        "optimizer": Categorical(["sgd", "adamw"]),
        "hidden": Int(16, 128, log=True),
    }

    def __init__(self, noise: float = 0.2, num_points: int = 1_500):
        """Arguments of the task: each can be set with --arg name=value."""
        self.noise = noise
        self.num_points = num_points

    def data(self, split):
        """A pair (inputs, targets); a torch Dataset of such pairs would do as well.

        There is no validation split here, so Sevenstep cuts one from the training data.
        """
        if split == "val":
            return None
        generator = torch.Generator().manual_seed({"train": 0, "test": 1}[split])
        labels = torch.arange(self.num_points) % self.num_classes
        radius = torch.rand(self.num_points, generator=generator)
        angle = 4 * radius + 2 * math.pi / self.num_classes * labels
        angle += self.noise * torch.randn(self.num_points, generator=generator)
        points = torch.stack([radius * angle.sin(), radius * angle.cos()], dim=1)
        return points / 0.4, labels  # 0.4 is the points' standard deviation

    def model(self, params):
        """A fresh network for one setting; params holds every name of the space."""
        hidden = params["hidden"]
        return nn.Sequential(
            nn.Linear(2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, self.num_classes),
        )
