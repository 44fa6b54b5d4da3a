"""Five more broken tasks written without sight of the rules, and their healthy twins.

Each fault is a mistake seen in real code. Its docstring says what is wrong, at which step
a good tool should first stop or warn, and which cause it should then name. The table
``BLIND_SECOND`` at the end says the same for tests. Data come with scikit-learn; all run
on a CPU in seconds.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import StratifiedShuffleSplit
from torch import Tensor, nn

from recipes import Float, Int, Task

SPACE = {
    "lr": Float(1e-4, 1.0, log=True),
    "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
}


def split_rows(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Row numbers of three splits, 60 : 20 : 20, with equal class shares."""
    halves = StratifiedShuffleSplit(n_splits=1, test_size=0.4, random_state=5)
    train, rest = next(halves.split(labels, labels))
    halves = StratifiedShuffleSplit(n_splits=1, test_size=0.5, random_state=5)
    val, test = next(halves.split(rest, labels[rest]))
    return {"train": train, "val": rest[val], "test": rest[test]}


@cache
def digit_images() -> dict[str, tuple[Tensor, Tensor]]:
    """Images (N, 8, 8), standardised by the training pixels' mean and sd, and labels."""
    images, labels = load_digits(return_X_y=True)
    rows = split_rows(labels)
    mean, sd = images[rows["train"]].mean(), images[rows["train"]].std()
    inputs = torch.tensor((images - mean) / sd, dtype=torch.float32).view(-1, 8, 8)
    targets = torch.tensor(labels, dtype=torch.int64)
    return {name: (inputs[chosen], targets[chosen]) for name, chosen in rows.items()}


# 1. A set network -------------------------------------------------------------------


@cache
def digit_points() -> dict[str, tuple[Tensor, Tensor]]:
    """Each image as a set of 64 points (grey level, row, column), all standardised."""
    place = torch.arange(8.0)
    place = (place - place.mean()) / place.std(correction=0)
    down, across = torch.meshgrid(place, place, indexing="ij")
    return {
        name: (
            torch.stack((images, down.expand_as(images), across.expand_as(images)), -1).flatten(
                1, 2
            ),
            labels,
        )
        for name, (images, labels) in digit_images().items()
    }


class SetNetwork(nn.Module):
    """Encodes every point by itself, takes the mean over points, then classifies it."""

    def __init__(self, encoder: nn.Module, width: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.norm = nn.BatchNorm1d(width)
        self.classifier = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 10))
        for layer in encoder.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_normal_(layer.weight, gain=nn.init.calculate_gain("tanh"))

    def forward(self, points: Tensor) -> Tensor:
        return self.classifier(self.norm(self.encoder(points).mean(dim=1)))


class PointSet(Task):
    """Healthy. The point encoder has two hidden layers with tanh."""

    kind = "classification"
    num_classes = 10
    space = {**SPACE, "width": Int(64, 128, log=True)}

    def data(self, split):
        return digit_points()[split]

    def model(self, params):
        width = int(params["width"])
        encoder = nn.Sequential(
            nn.Linear(3, width),
            nn.Tanh(),
            nn.Linear(width, width),
            nn.Tanh(),
        )
        return SetNetwork(encoder, width)


class PointActivationForgotten(PointSet):
    """The point encoder's activations are missing: two linear layers, then the mean.

    A mean of linear maps is the linear map of the mean. Rows and columns have the same
    mean in every image, so only the image's mean grey level gets past the pooling. The
    initial loss is right, every parameter has a gradient, and the output does depend on
    the input.

    Expected: step 2 fails. The training loss falls a little and stays well above zero at
    every learning rate, though zeroed inputs do worse still. First cause: the model
    cannot memorise 32 samples, because it tells them apart by too little (capacity or
    structure, not the learning rate; and it does not ignore its input).
    """

    def model(self, params):
        width = int(params["width"])
        return SetNetwork(nn.Sequential(nn.Linear(3, width), nn.Linear(width, width)), width)


# 2. Convolutions in time, and statistics pooling ------------------------------------


class StatisticsPooling(nn.Module):
    """Mean and standard deviation of each channel over time, (N, C, T) to (N, 2 C)."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=2)
        variance = (x - mean.unsqueeze(2)).square().mean(dim=2)
        return torch.cat((mean, torch.sqrt(variance + self.epsilon)), dim=1)


class TimeConvNet(Task):
    """Healthy. Images as 8 time steps of 8 channels, for an x-vector network.

    Batch norm comes after ReLU, and statistics pooling after that (Snyder et al. 2018).
    """

    kind = "classification"
    num_classes = 10
    space = SPACE
    epsilon = 1e-4

    def data(self, split):
        return digit_images()[split]

    def model(self, params):
        return nn.Sequential(
            nn.Conv1d(8, 48, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.BatchNorm1d(48),
            nn.Conv1d(48, 48, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.BatchNorm1d(48),
            StatisticsPooling(self.epsilon),
            nn.Linear(96, 10),
        )


class SquareRootOfZero(TimeConvNet):
    """No epsilon below the square root in the standard deviation.

    A channel that ReLU has shut over all of a sample is constant, with variance 0. There
    the root itself is 0, and the loss what it should be, but the root's slope is infinite,
    and infinity times the variance's zero gradient is NaN. The first update makes
    parameters before the pooling NaN, at any learning rate.

    Expected: step 1 stops where it looks at the gradients; at the latest step 2 does,
    where every run is NaN after one update. First cause: the gradient is not finite though
    the loss is, so a function in the model has no finite slope there (root, logarithm or
    division at zero). A lower learning rate is not the remedy.
    """

    epsilon = 0.0


# 3. An MLP mixer --------------------------------------------------------------------


class MixerBlock(nn.Module):
    """Mixes 16 tokens, then 32 channels, each with a way round (Tolstikhin et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.token_norm, self.channel_norm = nn.LayerNorm(32), nn.LayerNorm(32)
        self.tokens = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.channels = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.tokens(self.token_norm(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.channel_norm(x))


class Mixer(nn.Module):
    """Patches of 2 x 2 pixels, blocks, mean over tokens, and a linear head."""

    def __init__(self, blocks: list[MixerBlock] | nn.ModuleList) -> None:
        super().__init__()
        self.embedding = nn.Conv2d(1, 32, kernel_size=2, stride=2)
        self.blocks = blocks
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(32, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = self.embedding(images.unsqueeze(1)).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(dim=1))


class PatchMixer(Task):
    """Healthy. The blocks are in a ``nn.ModuleList``."""

    kind = "classification"
    num_classes = 10
    space = SPACE

    def data(self, split):
        return digit_images()[split]

    def model(self, params):
        return Mixer(nn.ModuleList(MixerBlock() for _ in range(3)))


class BlocksInPlainList(PatchMixer):
    """The blocks are in a Python list, so the model does not know their parameters.

    ``model.parameters()`` holds the embedding, the last norm and the head alone. The
    blocks do take part in the forward pass and get gradients, but no optimizer ever
    changes them, and ``state_dict()``, ``.to()`` and ``.train()`` pass them by. Training
    works, less well than it should.

    Expected: step 1 warns. It does not gate, as with layers frozen on purpose. First
    cause: the blocks' parameters are used but not handed to the optimizer, because they
    are not registered; ``nn.ModuleList`` is the remedy.
    """

    def model(self, params):
        return Mixer([MixerBlock() for _ in range(3)])


# 4. An MLP with several labels ------------------------------------------------------

SEGMENTS = torch.tensor(
    [
        [1, 1, 1, 1, 1, 1, 0],
        [0, 1, 1, 0, 0, 0, 0],
        [1, 1, 0, 1, 1, 0, 1],
        [1, 1, 1, 1, 0, 0, 1],
        [0, 1, 1, 0, 0, 1, 1],
        [1, 0, 1, 1, 0, 1, 1],
        [1, 0, 1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 0, 1, 1],
    ],
    dtype=torch.float32,
)
"""Which of a seven-segment display's segments show each digit."""


class LoopedMLP(nn.Module):
    """Linear layers in a loop, with ReLU after all of them or after all but the last."""

    def __init__(self, widths: list[int], last_is_linear: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Linear(wide, next_wide) for wide, next_wide in pairwise(widths)
        )
        self.last_is_linear = last_is_linear

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for number, layer in enumerate(self.layers, start=1):
            x = layer(x)
            if number < len(self.layers) or not self.last_is_linear:
                x = F.relu(x)
        return x


class SevenSegments(Task):
    """Healthy. Which segments would show the digit: seven labels, seven raw outputs."""

    kind = "multilabel"
    space = SPACE

    def data(self, split):
        images, labels = digit_images()[split]
        return images, SEGMENTS[labels]

    def model(self, params):
        return LoopedMLP([64, 96, 48, 7], last_is_linear=True)


class ReluOnLogits(SevenSegments):
    """The loop over layers puts ReLU after the last one as well.

    Logits are then never below 0, so no probability is below one half: an unlit segment
    costs ln 2 at least, for ever. An output that is negative for every sample also gets
    no gradient. At the start the loss is ln 2, as it should be. ReLU is a function
    here, not a module, so a list of modules does not show it.

    Expected: step 1 stops, for outputs that include no negative number and many exact
    zeros; at the latest step 2 does, where the loss stays far above zero. First cause: an
    activation that has no place on the outputs.
    """

    def model(self, params):
        return LoopedMLP([64, 96, 48, 7], last_is_linear=False)


# 5. A gated MLP, two classes --------------------------------------------------------


@cache
def tumours() -> dict[str, tuple[Tensor, Tensor]]:
    """Thirty standardised features, and 1.0 for a benign tumour."""
    features, labels = load_breast_cancer(return_X_y=True)
    rows = split_rows(labels)
    train = features[rows["train"]]
    features = (features - train.mean(axis=0)) / train.std(axis=0)
    inputs, targets = (torch.tensor(x, dtype=torch.float32) for x in (features, labels))
    return {name: (inputs[chosen], targets[chosen]) for name, chosen in rows.items()}


class GatedMLP(Task):
    """Healthy. Two gated linear units; one logit per sample, (N,), as the targets."""

    kind = "binary"
    space = SPACE

    def data(self, split):
        return tumours()[split]

    def model(self, params):
        return nn.Sequential(
            nn.Linear(30, 64),
            nn.GLU(),
            nn.Linear(32, 64),
            nn.GLU(),
            nn.Linear(32, 1),
            nn.Flatten(0),
        )


class RatesInMillionths(GatedMLP):
    """Learning rates in millionths, as a form of whole numbers holds them, unconverted.

    100 to 1,000,000 was meant as 1e-4 to 1. Data, model and loss are right. The range
    is hard, so it must not be widened downwards.

    Expected: step 3 fails, as the loss explodes at every rate of the range (step 2, if it
    keeps to the range's rates too). First cause: all the learning rates are far too high,
    so the range is to be moved down by decades; model and data are not to blame.
    """

    space = {**GatedMLP.space, "lr": Float(1e2, 1e6, log=True, hard=True)}


class BlindSecond(NamedTuple):
    """A fault, its twin, and what is expected of a good diagnosis.

    Attributes:
        broken: The task with the fault.
        healthy: The same task without it.
        steps: Numbers of the steps that may be the first to stop or warn.
        codes: Finding codes of which one must come first.
    """

    broken: type[Task]
    healthy: type[Task]
    steps: tuple[int, ...]
    codes: tuple[str, ...]


BLIND_SECOND: dict[str, BlindSecond] = {
    "point_activation_forgotten": BlindSecond(
        PointActivationForgotten, PointSet, (2,), ("cannot_overfit",)
    ),
    "square_root_of_zero": BlindSecond(
        SquareRootOfZero, TimeConvNet, (1, 2), ("non_finite_loss", "exploding_gradient")
    ),
    "blocks_in_plain_list": BlindSecond(
        BlocksInPlainList, PatchMixer, (1,), ("frozen_parameters",)
    ),
    "relu_on_logits": BlindSecond(
        ReluOnLogits, SevenSegments, (1, 2), ("wrong_output_activation",)
    ),
    "rates_in_millionths": BlindSecond(
        RatesInMillionths, GatedMLP, (2, 3), ("lr_too_high", "diverged")
    ),
}
"""Five faults by name."""
