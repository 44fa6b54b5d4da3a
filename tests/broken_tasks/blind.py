"""Five broken tasks written without sight of the rules, and their healthy twins.

Each fault is one small slip in a task that is sound otherwise. Its docstring says what is
wrong, the step that should first stop or warn, and the cause that should be named first.
Data sets are those inside scikit-learn's package; every model trains on a CPU in seconds.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from recipes import Float, Int, Task

SPACE = {
    "lr": Float(1e-5, 1.0, log=True),
    "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
}

HEADS = 4


def split_rows(count: int, labels: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Row numbers of three splits, 60 : 20 : 20, with equal class shares given labels."""
    share, seed = count // 5, 7
    rest, test = train_test_split(
        np.arange(count), test_size=share, stratify=labels, random_state=seed
    )
    kept = None if labels is None else labels[rest]
    train, val = train_test_split(rest, test_size=share, stratify=kept, random_state=seed)
    return {"train": train, "val": val, "test": test}


def tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


# 1. A transformer on sequences of tokens.


@cache
def token_splits() -> dict[str, tuple[Tensor, Tensor]]:
    """Digits as 16 tokens each: the mean grey level, 0 to 16, of every 2 x 2 pixels."""
    images, labels = load_digits(return_X_y=True)
    levels = images.reshape(-1, 4, 2, 4, 2).mean((2, 4)).round().reshape(-1, 16)
    tokens, targets = torch.tensor(levels, dtype=torch.int64), torch.tensor(labels)
    return {
        name: (tokens[rows], targets[rows])
        for name, rows in split_rows(len(labels), labels).items()
    }


class TokenClassifier(nn.Module):
    """Token and position embeddings, pre-norm encoder layers, mean over positions."""

    def __init__(self, width: int, batch_first: bool) -> None:
        super().__init__()
        self.tokens = nn.Embedding(17, width)
        self.positions = nn.Parameter(0.02 * torch.randn(16, width))
        self.layers = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    width, HEADS, 2 * width, norm_first=True, batch_first=batch_first
                )
                for _ in range(2)
            )
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.positions  # (samples, positions, width)
        return self.head(self.norm(self.layers(x)).mean(1))


class TokenTransformer(Task):
    """Healthy. PyTorch's own encoder layers, with their usual dropout of 0.1."""

    kind = "classification"
    num_classes = 10
    space = {**SPACE, "head_width": Int(8, 16, log=True)}

    def data(self, split):
        return token_splits()[split]

    def model(self, params):
        return TokenClassifier(HEADS * int(params["head_width"]), batch_first=True)


class BatchFirstForgotten(TokenTransformer):
    """``batch_first=True`` is missing, so attention runs over the batch.

    The layers take the first dimension for positions. Every sample looks at the others
    of its batch and never at its own other positions. Shapes fit, the initial loss is
    ln 10 and the loss falls, but a prediction depends on its neighbours in the batch.
    Inputs are integers, so no gradient with respect to them exists: the other samples
    have to be changed instead (or the embeddings' gradient looked at).

    Step: 1 (each output must depend on its own sample alone).
    First cause: "a sample's output depends on the other samples of its batch".
    """

    def model(self, params):
        return TokenClassifier(HEADS * int(params["head_width"]), batch_first=False)


# 2. A convolutional network with group norm, GELU and log-probabilities as outputs.


@cache
def image_splits() -> dict[str, tuple[Tensor, Tensor]]:
    """Digits as images, standardised with the training pixels' mean and deviation."""
    images, labels = load_digits(return_X_y=True)
    rows = split_rows(len(labels), labels)
    mean, sd = images[rows["train"]].mean(), images[rows["train"]].std()
    inputs, targets = tensor((images - mean) / sd).view(-1, 1, 8, 8), torch.tensor(labels)
    return {name: (inputs[part], targets[part]) for name, part in rows.items()}


class GroupNormConvNet(Task):
    """Healthy. The model ends in log-softmax, and the loss takes log-probabilities.

    This is how PyTorch's MNIST example is written. No softmax is applied twice here.
    """

    kind = "classification"
    num_classes = 10
    space = SPACE

    def data(self, split):
        return image_splits()[split]

    def body(self) -> list[nn.Module]:
        return [
            nn.Conv2d(1, 16, 3, padding=1, bias=False),
            nn.GroupNorm(4, 16),
            nn.GELU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False),
            nn.GroupNorm(8, 32),
            nn.GELU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 4, 10),
        ]

    def model(self, params):
        return nn.Sequential(*self.body(), nn.LogSoftmax(dim=1))

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(output, target)


class LogSoftmaxForgotten(GroupNormConvNet):
    """The negative log-likelihood is taken of raw outputs: log-softmax is missing.

    The loss is then minus the right class's output: about 0 before training, where ln 10
    is due, and without a floor afterwards. It falls for ever, which looks like learning.

    Step: 1 (initial loss far below ln 10, for every initialisation).
    First cause: "the loss expects log-probabilities but gets raw outputs (no log-softmax)",
    or at least "the initial loss is near 0, far below ln 10: the loss is not cross-entropy".
    """

    def model(self, params):
        return nn.Sequential(*self.body())


# 3. A deep plain network of tanh layers.


class DeepTanh(Task):
    """Healthy. Eight hidden tanh layers without normalisation, Xavier's initial weights."""

    kind = "classification"
    num_classes = 10
    space = SPACE

    def data(self, split):
        return image_splits()[split]

    def start(self, weight: Tensor) -> None:
        nn.init.xavier_normal_(weight)

    def model(self, params):
        layers: list[nn.Module] = [nn.Flatten()]
        for _ in range(8):
            layers += [nn.Linear(64, 64), nn.Tanh()]
        layers.append(nn.Linear(64, 10))
        for layer in layers:
            if isinstance(layer, nn.Linear):
                self.start(layer.weight)
                nn.init.zeros_(layer.bias)
        return nn.Sequential(*layers)


class SmallRandomNumbers(DeepTanh):
    """All weights start as 0.01 times a normal number, whatever the layer's width.

    Each layer shrinks what passes, forward and back, to about 8 % (0.01 x sqrt(64)).
    After eight layers nothing is left: outputs differ by 1e-10 between samples, and every
    weight's gradient is near 1e-9, the last layer's (tiny inputs) as well as the first's
    (tiny gradient from above). So the ratio of last to first weight gradient shows
    nothing, and nor does the initial loss, ln 10 to many digits. The last bias alone gets
    a sound gradient. The network does not ignore its input by design, and no parameter is
    frozen.

    Step: 1 (activations and gradients by layer), else 2 (stays at chance, unless an
    adaptive optimiser with a high rate digs itself out).
    First cause: "the initial weights are too small for this depth: activations and
    gradients vanish from layer to layer".
    """

    def start(self, weight: Tensor) -> None:
        nn.init.normal_(weight, std=0.01)


# 4. A residual network on a table, for regression.


@cache
def diabetes_splits() -> dict[str, tuple[Tensor, Tensor]]:
    """Ten features and one target (N,) per patient, all standardised on training rows."""
    features, progress = load_diabetes(return_X_y=True, scaled=False)
    rows = split_rows(len(progress))

    def standard(values: np.ndarray) -> Tensor:
        train = values[rows["train"]]
        return tensor((values - train.mean(0)) / train.std(0))

    inputs, targets = standard(features), standard(progress)
    return {name: (inputs[part], targets[part]) for name, part in rows.items()}


class ResidualMLP(nn.Module):
    """A linear stem, two pre-norm residual blocks, and one output per sample."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Linear(10, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, 2 * width),
                nn.GELU(),
                nn.Linear(2 * width, width),
            )
            for _ in range(2)
        )
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


class DiabetesRegression(Task):
    """Healthy. Outputs and targets are both (N,); the loss is the mean squared error."""

    kind = "regression"
    space = {**SPACE, "width": Int(32, 64, log=True)}

    def data(self, split):
        return diabetes_splits()[split]

    def model(self, params):
        return nn.Sequential(ResidualMLP(int(params["width"])), nn.Flatten(0))

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean()


class ShapesBroadcast(DiabetesRegression):
    """Outputs are (N, 1) and targets (N,), so their difference is (N, N).

    The loss compares every prediction with every target. It is least when all samples
    get the targets' mean, and never below the targets' variance. The initial loss is as
    it should be, and doubling the batch leaves it. On zeroed inputs the loss gets as low
    as on real ones, but the network is not at fault: ``ignores_input`` misleads here.

    Step: 1 (output and target shapes differ), at the latest 2 (the loss of 32 samples
    stops at their variance). A stop in step 1 that names the two shapes is right under
    whatever code.
    First cause: "output (N, 1) and target (N,) broadcast to (N, N) in the loss, so the
    network can only predict the mean".
    """

    def model(self, params):
        return ResidualMLP(int(params["width"]))


# 5. A small network on a table, for two classes.


@cache
def cancer_splits() -> dict[str, tuple[Tensor, list[str]]]:
    """Thirty features, standardised on training rows, and a diagnosis in words."""
    table = load_breast_cancer()
    rows = split_rows(len(table.target), table.target)
    train = table.data[rows["train"]]
    inputs = tensor((table.data - train.mean(0)) / train.std(0))
    words = table.target_names[table.target]
    return {name: (inputs[part], words[part].tolist()) for name, part in rows.items()}


def numbered(words: list[str], classes: list[str]) -> Tensor:
    return torch.tensor([classes.index(word) for word in words])


class CancerMLP(Task):
    """Healthy. Two SiLU layers with dropout between; classes numbered by the alphabet."""

    kind = "classification"
    num_classes = 2
    space = {**SPACE, "hidden": Int(16, 64, log=True)}

    def data(self, split):
        inputs, words = cancer_splits()[split]
        return inputs, numbered(words, sorted(set(words)))

    def model(self, params):
        hidden = int(params["hidden"])
        return nn.Sequential(
            nn.Linear(30, hidden),
            nn.SiLU(),
            nn.Dropout(0.2),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 2),
        )


class ClassesNumberedPerSplit(CancerMLP):
    """Each split numbers its classes in the order in which they first appear.

    This is what ``pandas.factorize`` does when called once per split. Training rows begin
    with one diagnosis and validation rows with the other, so class 0 in training is class
    1 in validation. Training is sound and its loss falls; on validation the loss rises and
    accuracy is far below chance. Shares give it away before training: 63 % of training
    rows are one class, and 63 % of validation rows the other.

    Step: 1 (same class order on both splits), at the latest 3 (loss on unseen samples,
    where those are validation's).
    First cause: "training and validation number the classes differently". "The labels do
    not fit the inputs" leads there too, if it is said of validation.
    """

    def data(self, split):
        inputs, words = cancer_splits()[split]
        return inputs, numbered(words, list(dict.fromkeys(words)))


class Blind(NamedTuple):
    """A fault, its twin, and what is expected of a good diagnosis.

    Attributes:
        broken: The task with the fault.
        healthy: The same task without it.
        steps: The steps that may be the first to stop or warn, best first.
        codes: The findings that may come first, best first.
    """

    broken: type[Task]
    healthy: type[Task]
    steps: tuple[int, ...]
    codes: tuple[str, ...]


BLIND: dict[str, Blind] = {
    "batch_first_forgotten": Blind(BatchFirstForgotten, TokenTransformer, (1,), ("batch_mixing",)),
    "log_softmax_forgotten": Blind(
        LogSoftmaxForgotten,
        GroupNormConvNet,
        (1,),
        ("wrong_output_activation", "initial_loss_low"),
    ),
    "small_random_numbers": Blind(
        SmallRandomNumbers, DeepTanh, (1, 2), ("vanishing_gradient", "activation_scale_drift")
    ),
    "shapes_broadcast": Blind(
        ShapesBroadcast,
        DiabetesRegression,
        (1, 2),
        ("constant_prediction", "cannot_overfit", "batch_mixing"),
    ),
    "classes_numbered_per_split": Blind(
        ClassesNumberedPerSplit, CancerMLP, (1, 3), ("val_below_chance", "noisy_labels")
    ),
}
