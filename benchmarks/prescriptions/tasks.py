"""Base tasks of the sick studies, on data that ships inside scikit-learn.

None of them is a task of the fault bench's report half. Each declares the same space, so that
whatever a prescription names can be changed, and nothing is declared for one study alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.faults.tasks import sources
from recipes import Categorical, Float, Int, Task
from recipes.space import Params
from recipes.task import SplitName

Pair = tuple[Tensor, Tensor]

VALIDATION_SHARE = 0.3
"""Of all samples. The split is the same for every run: what differs is the seed's doing."""

SPLIT_SEED = 20


class Curable(Task):
    """An MLP on a small data set, with a knob for every ailment.

    Args:
        num_train: Training samples kept; None: all.

    Attributes:
        depth: Hidden layers.
        bias: What every hidden bias starts from; None: as torch draws it.
        gain: What the last layer's initial weights are multiplied by.
        is_raw: Whether ``data`` leaves the inputs as they are; ``standardise`` then decides
            whether the model's first layer does it.
    """

    depth = 2
    bias: float | None = None
    gain = 1.0
    is_raw = False
    num_outputs = 1
    samples: Callable[[], Pair]
    space = {
        "lr": Float(1e-6, 10.0, log=True),
        "momentum": Float(0.0, 0.999),
        "weight_decay": Float(1e-6, 1.0, log=True, zero=True),
        "batch_size": Int(1, 1024, log=True),
        "init": Categorical(["default", "kaiming", "xavier", "small_normal"]),
        "width": Int(2, 512, log=True),
        "dropout": Float(0.0, 0.95),
        "standardise": Categorical([False, True]),
    }

    def __init__(self, num_train: int | None = None) -> None:
        self.num_train = num_train

    def data(self, split: SplitName) -> Pair | None:
        """Inputs and targets; no test split."""
        if split == "test":
            return None
        inputs, targets = type(self).samples()
        order = torch.from_numpy(np.random.default_rng(SPLIT_SEED).permutation(len(inputs)))
        num_val = round(VALIDATION_SHARE * len(inputs))
        last = None if self.num_train is None else num_val + self.num_train
        training = inputs[order[num_val:last]]
        rows = order[:num_val] if split == "val" else order[num_val:last]
        if self.is_raw:
            return inputs[rows], targets[rows]
        mean, sd = _moments(training)
        return (inputs[rows] - mean) / sd, targets[rows]

    def model(self, params: Params) -> nn.Module:
        """A fresh network of ``width`` and ``dropout``."""
        network = self.network(int(params["width"]), float(params["dropout"]))
        linear = [each for each in network.modules() if isinstance(each, nn.Linear)]
        with torch.no_grad():
            linear[-1].weight.mul_(self.gain)
            for layer in linear[:-1] if self.bias is not None else ():
                layer.bias.fill_(self.bias)  # type: ignore[arg-type]
        if not (self.is_raw and params["standardise"]):
            return network
        pair = self.data("train")
        assert pair is not None
        return nn.Sequential(Standardise(*_moments(pair[0])), network)

    def network(self, width: int, dropout: float) -> nn.Module:
        """An MLP with ReLUs."""
        inputs, _ = type(self).samples()
        size, parts = inputs[0].numel(), [nn.Flatten()]
        for _ in range(self.depth):
            parts += [nn.Linear(size, width), nn.ReLU(), nn.Dropout(dropout)]  # type: ignore[list-item]
            size = width
        return nn.Sequential(*parts, nn.Linear(size, self.num_outputs))


class Standardise(nn.Module):
    """Mean 0 and sd 1 by feature, by the training samples' own.

    Args:
        mean: (1, ...) of the training samples.
        sd: Likewise.
    """

    def __init__(self, mean: Tensor, sd: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("sd", sd)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, ...) to (N, ...)."""
        return (inputs - self.mean) / self.sd  # type: ignore[operator]


def _moments(training: Tensor) -> Pair:
    over = 0 if training.ndim == 2 else tuple(range(training.ndim))  # images: one for all pixels
    mean = training.mean(over, keepdim=True)
    return mean, training.std(over, keepdim=True).clamp_min(1e-6)


class Digits(Curable):
    """Which of ten digits?"""

    num_classes = 10
    num_outputs = 10
    samples = staticmethod(sources.digits)


class DigitsAttributes(Curable):
    """Five answers a digit."""

    kind = "multilabel"
    num_outputs = 5
    samples = staticmethod(sources.digit_attributes)


def _parity() -> Pair:
    inputs, labels = sources.digits()
    return inputs, (labels % 2).float()[:, None]


class DigitsParity(Curable):
    """Is the digit odd?"""

    kind = "binary"
    samples = staticmethod(_parity)


def _halves() -> Pair:
    inputs, _ = sources.digits()
    lower = inputs[:, 0, 4:].flatten(1)
    return inputs[:, :, :4], (lower - lower.mean()) / lower.std()


class DigitsHalves(Curable):
    """The lower half of a digit from its upper one: 32 pixels."""

    kind = "regression"
    num_outputs = 32
    samples = staticmethod(_halves)


def _rows() -> Pair:
    inputs, labels = sources.digits()
    return inputs.squeeze(1), labels


class DigitsRows(Curable):
    """A recurrent net (GRU) that reads a digit row by row."""

    num_classes = 10
    num_outputs = 10
    samples = staticmethod(_rows)

    def network(self, width: int, dropout: float) -> nn.Module:
        """A GRU, and a linear layer on its last state."""
        return _LastState(width, dropout, self.num_outputs)


class _LastState(nn.Module):
    def __init__(self, width: int, dropout: float, num_outputs: int) -> None:
        super().__init__()
        self.rows = nn.GRU(8, width, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.outputs = nn.Linear(width, num_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, 8, 8) to (N, outputs)."""
        return self.outputs(self.dropout(self.rows(inputs)[0][:, -1]))  # type: ignore[no-any-return]


class Cancer(Curable):
    """Is the tumour benign? 30 features."""

    kind = "binary"
    samples = staticmethod(sources.cancer)


class Diabetes(Curable):
    """How far will the disease go? 10 features."""

    kind = "regression"
    samples = staticmethod(sources.diabetes)
