"""Tasks as users write them, for whole studies: a file that is named by its path."""

from pathlib import Path

import torch
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import train_test_split
from torch import nn

from recipes import Float, Int, Task

FILE = Path(__file__)


def path(name: str) -> str:
    """A class of this file, as a study names its task."""
    return f"{FILE}:{name}"


def standardised(inputs, rows):
    """Inputs with the mean and spread of the training rows."""
    return (inputs - inputs[rows].mean(0)) / inputs[rows].std(0)


class Clouds(Task):
    """Four overlapping clouds in ten dimensions: an epoch takes milliseconds."""

    num_classes = 4
    space = {"lr": Float(1e-3, 1.0, log=True), "hidden": Int(8, 64, log=True)}

    def data(self, split):
        num = {"train": 800, "val": 400, "test": 400}[split]
        centres = torch.randn(4, 10, generator=torch.Generator().manual_seed(8)) * 0.9
        generator = torch.Generator().manual_seed(len(split))
        labels = torch.randint(0, 4, (num,), generator=generator)
        return centres[labels] + torch.randn(num, 10, generator=generator), labels

    def model(self, params):
        hidden = int(params["hidden"])
        return nn.Sequential(nn.Linear(10, hidden), nn.ReLU(), nn.Linear(hidden, 4))


class NoisyClouds(Clouds):
    """Models of one form whatever the setting, with all that draws masks and keeps statistics."""

    space = {
        "lr": Float(1e-3, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-2, log=True),
        "dropout": Float(0.0, 0.5),
    }

    def model(self, params):
        return nn.Sequential(
            *(nn.Linear(10, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU()),
            *(nn.Dropout(params["dropout"]), nn.Linear(16, 4)),
        )


class Diabetes(Task):
    """Regression: how far diabetes had gone in 442 patients. About half is noise."""

    kind = "regression"
    space = {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-5, 1e-1, log=True, zero=True),
    }

    def data(self, split):
        inputs, targets = load_diabetes(return_X_y=True)
        rest, test = train_test_split(range(len(targets)), test_size=80, random_state=0)
        train, val = train_test_split(rest, test_size=80, random_state=0)
        inputs, targets = standardised(inputs, train), standardised(targets, train)
        rows = {"train": train, "val": val, "test": test}[split]
        return (
            torch.tensor(inputs[rows], dtype=torch.float32),
            torch.tensor(targets[rows], dtype=torch.float32).unsqueeze(1),
        )

    def model(self, params):
        return nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 1))


class BreastCancer(Task):
    """Two classes as one output: 569 tumours, 30 features."""

    kind = "binary"
    space = {"lr": Float(1e-4, 1.0, log=True), "hidden": Int(8, 64, log=True)}

    def data(self, split):
        inputs, labels = load_breast_cancer(return_X_y=True)
        rest, test = train_test_split(
            range(len(labels)), test_size=110, random_state=0, stratify=labels
        )
        train, val = train_test_split(rest, test_size=110, random_state=0, stratify=labels[rest])
        rows = {"train": train, "val": val, "test": test}[split]
        return (
            torch.tensor(standardised(inputs, train)[rows], dtype=torch.float32),
            torch.tensor(labels[rows], dtype=torch.float32).unsqueeze(1),
        )

    def model(self, params):
        hidden = int(params["hidden"])
        return nn.Sequential(nn.Linear(30, hidden), nn.ReLU(), nn.Linear(hidden, 1))


class Costly(Task):
    """20,000 samples of 512 inputs: an epoch takes about half a second of one core."""

    num_classes = 10
    space = {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
        "hidden": Int(64, 128, log=True),
    }

    def data(self, split):
        num = {"train": 20_000, "val": 2_000, "test": 2_000}[split]
        centres = torch.randn(10, 512, generator=torch.Generator().manual_seed(8)) * 0.12
        generator = torch.Generator().manual_seed(len(split))
        labels = torch.randint(0, 10, (num,), generator=generator)
        return centres[labels] + torch.randn(num, 512, generator=generator), labels

    def model(self, params):
        hidden = int(params["hidden"])
        return nn.Sequential(nn.Linear(512, hidden), nn.ReLU(), nn.Linear(hidden, 10))


class HardlyApart(Task):
    """Two clouds of fifty samples that hardly differ: in small batches the loss is mostly luck."""

    num_classes = 2
    space = {"lr": Float(1e-3, 1.0, log=True)}

    def data(self, split):
        if split == "test":
            return None
        generator = torch.Generator().manual_seed(len(split))
        labels = torch.arange(100) % 2
        return 0.6 * labels[:, None] + torch.randn(100, 6, generator=generator), labels

    def model(self, params):
        return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
