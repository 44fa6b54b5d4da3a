"""scikit-learn's handwritten digits: 1,797 grey images of 8 x 8 pixels, ten classes.

The images come inside scikit-learn's package, so nothing is downloaded. A good file to
copy when you write a task of your own.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from recipes import Categorical, Float, Int, Task
from recipes.space import Params
from recipes.task import SplitName

HELD_OUT = 360
"""Images in the validation split, and as many in the test split."""


@cache
def splits() -> dict[str, tuple[Tensor, Tensor]]:
    """Inputs, float32 (N, 1, 8, 8), and targets, int64 (N,), of the three splits.

    The splits are always the same ones, and hold the classes in equal shares. Inputs are
    standardised with the mean and standard deviation of the training pixels, one number
    each: the other splits must not take part in what training sees.
    """
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 1, 8, 8) / 16.0
    rest, test = train_test_split(
        np.arange(len(labels)), test_size=HELD_OUT, stratify=labels, random_state=0
    )
    train, val = train_test_split(rest, test_size=HELD_OUT, stratify=labels[rest], random_state=0)
    mean, sd = images[train].mean(), images[train].std()
    inputs = torch.tensor((images - mean) / sd, dtype=torch.float32)
    targets = torch.tensor(labels, dtype=torch.int64)
    return {
        name: (inputs[rows], targets[rows])
        for name, rows in (("train", train), ("val", val), ("test", test))
    }


class DigitsMLP(Task):
    """One hidden layer: 64 pixels, ``hidden`` units, 10 classes."""

    kind = "classification"
    num_classes = 10
    space = {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
        "hidden": Int(32, 256, log=True),
    }

    def data(self, split: SplitName) -> tuple[Tensor, Tensor]:
        """The split's images and labels."""
        return splits()[split]

    def model(self, params: Params) -> nn.Module:
        """A fresh network with ``params["hidden"]`` hidden units."""
        hidden = int(params["hidden"])
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(64, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 10),
        )


class DigitsConv(Task):
    """Two 3 x 3 convolutions, each followed by ReLU, then pooling and a linear layer."""

    kind = "classification"
    num_classes = 10
    space = {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
        "channels": Int(8, 32, log=True),
        "activation": Categorical(["relu", "tanh"]),
    }

    def data(self, split: SplitName) -> tuple[Tensor, Tensor]:
        """The split's images and labels."""
        return splits()[split]

    def model(self, params: Params) -> nn.Module:
        """A fresh network with ``params["channels"]`` filters in its first layer."""
        channels = int(params["channels"])
        activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[str(params["activation"])]
        return nn.Sequential(
            nn.Conv2d(1, channels, kernel_size=3, padding=1),
            activation(),
            nn.Conv2d(channels, 2 * channels, kernel_size=3, padding=1),
            activation(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * channels * 16, 10),
        )
