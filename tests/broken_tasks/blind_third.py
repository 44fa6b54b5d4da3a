"""A third five broken tasks written without sight of the rules, and their healthy twins.

Every fault is one change to its twin: the same data, architecture and space otherwise.
All data come inside scikit-learn or are made up from a fixed seed.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits, load_wine, make_regression
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from recipes import Float, Task

SPACE = {
    "lr": Float(1e-4, 1.0, log=True),
    "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
}


def split_rows(count: int, held_out: float, labels: np.ndarray | None = None):
    """Row numbers of the three splits; validation and test get ``held_out`` each."""
    rest, test = train_test_split(
        np.arange(count), test_size=held_out, stratify=labels, random_state=3
    )
    train, val = train_test_split(
        rest,
        test_size=len(test),
        stratify=None if labels is None else labels[rest],
        random_state=3,
    )
    return {"train": train, "val": val, "test": test}


@cache
def images() -> dict[str, tuple[Tensor, Tensor]]:
    """Digits (N, 1, 8, 8), standardised by the training pixels' mean and sd, and labels."""
    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels.reshape(-1, 1, 8, 8)
    rows = split_rows(len(labels), 0.2, labels)
    mean, sd = pixels[rows["train"]].mean(), pixels[rows["train"]].std()
    inputs = torch.tensor((pixels - mean) / sd, dtype=torch.float32)
    targets = torch.tensor(labels, dtype=torch.int64)
    return {name: (inputs[each], targets[each]) for name, each in rows.items()}


# 1. A DenseNet whose loss lacks its minus sign.


class DenseLayer(nn.Module):
    """Norm, ReLU, convolution; its input is kept and its output put beside it."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.conv(F.relu(self.norm(x)))], dim=1)


class DenseNet(Task):
    """Healthy. Two dense blocks (Huang et al. 2017), and a loss written out by hand."""

    kind = "classification"
    num_classes = 10
    space = SPACE

    def data(self, split):
        return images()[split]

    def model(self, params):
        return nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1, bias=False),
            DenseLayer(12, 6),
            DenseLayer(18, 6),
            nn.Conv2d(24, 16, 1, bias=False),
            nn.AvgPool2d(2),
            DenseLayer(16, 8),
            DenseLayer(24, 8),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, 10),
        )

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return -F.log_softmax(output, dim=1).gather(1, target[:, None]).mean()


class MinusForgotten(DenseNet):
    """The loss is the mean log-likelihood: the minus sign is missing.

    Training makes the right class ever less likely, and the loss sinks without bound, so
    a falling curve looks like success while accuracy goes below chance.

    Expected: step 1 stops. The untrained loss is -2.3 where +2.3 = ln 10 belongs, and a
    cross-entropy is never negative. First cause: the loss has the wrong sign (the initial
    loss is far too low), not the data, the model or the learning rate.
    """

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.log_softmax(output, dim=1).gather(1, target[:, None]).mean()


# 2. A tied word model that starts with PyTorch's own embedding weights.

WORDS, TOPICS, CONTEXT = 50, 10, 8


@cache
def windows() -> dict[str, tuple[Tensor, Tensor]]:
    """Eight words round a gap, int64 (N, 8), and the word in the gap.

    A topic has five words of its own. A window's words are of its topic with probability
    0.7, the gap's word always. Windows that occur twice are left out.
    """
    random = np.random.default_rng(3)
    count, own = 3000, WORDS // TOPICS
    topics = random.integers(TOPICS, size=count)
    of_topic = topics[:, None] * own + random.integers(own, size=(count, CONTEXT))
    of_any = random.integers(WORDS, size=(count, CONTEXT))
    context = np.where(random.random((count, CONTEXT)) < 0.7, of_topic, of_any)
    gap = topics * own + random.integers(own, size=count)
    _, first = np.unique(context, axis=0, return_index=True)
    inputs, targets = torch.tensor(context[first]), torch.tensor(gap[first])
    return {
        name: (inputs[each], targets[each]) for name, each in split_rows(len(first), 0.2).items()
    }


class WordModel(nn.Module):
    """Sum of the words' embeddings, two layers, and a head tied to the embeddings."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, width)
        self.norm1 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.norm2 = nn.LayerNorm(width)
        self.head = nn.Linear(width, WORDS, bias=False)
        self.head.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm1(self.words(x).sum(1))
        h = self.norm2(self.down(F.gelu(self.up(h))))
        return self.head(h)


class TiedBagOfWords(Task):
    """Healthy. Guesses the word in the gap; the shared weights start with sd 0.05."""

    kind = "classification"
    num_classes = WORDS
    space = SPACE

    def data(self, split):
        return windows()[split]

    def model(self, params):
        model = WordModel(64)
        nn.init.normal_(model.words.weight, std=0.05)
        return model


class TiedToUnitNormal(TiedBagOfWords):
    """The shared weights keep ``nn.Embedding``'s own start, sd 1.

    That suits an embedding and not an output layer: 64 normalised features times weights
    of sd 1 give logits of sd 8, so the untrained model is sure of itself, and wrong.

    Expected: step 1 stops or warns. The untrained loss is about 18 where ln 50 = 3.9
    belongs. First cause: the initial loss is far too high because the output layer's
    initial weights are too large (logit sd of about 8), not the learning rate.
    """

    def model(self, params):
        return WordModel(64)


# 3. A regression whose inputs and targets come in two orders.


@cache
def houses() -> dict[str, tuple[Tensor, Tensor]]:
    """Twelve features and one target (N, 1), all standardised on training rows."""
    features, prices = make_regression(
        1500, n_features=12, n_informative=8, noise=20.0, random_state=3
    )
    rows = split_rows(len(prices), 0.2)
    table = np.column_stack([features, prices])
    train = table[rows["train"]]
    table = torch.tensor((table - train.mean(0)) / train.std(0), dtype=torch.float32)
    return {name: (table[each, :-1], table[each, -1:]) for name, each in rows.items()}


class BatchNormRegression(Task):
    """Healthy. Two hidden layers, each with batch norm, and one output."""

    kind = "regression"
    space = SPACE

    def data(self, split):
        return houses()[split]

    def model(self, params):
        return nn.Sequential(
            nn.Linear(12, 64, bias=False),
            nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.Linear(64, 64, bias=False),
            nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.Linear(64, 1),
        )


class FilesSortedAsText(BatchNormRegression):
    """Inputs are read in the text order of their numbers, targets in numeric order.

    ``sorted(glob("*.npy"))`` gives 0, 1, 10, 100, 101, ... and the table of targets gives
    0, 1, 2, 3, ...; so nearly every input has some other sample's target, in every split.
    Shapes, ranges and statistics are all as they should be.

    Expected: step 1 passes, and step 2 passes since 32 wrong pairs can be learnt by
    heart. Step 3 stops: no learning rate lowers the loss on unseen samples. First cause:
    the targets do not belong to the inputs (labels are noise), not the learning rates.
    """

    def data(self, split):
        inputs, targets = super().data(split)
        return inputs[sorted(range(len(inputs)), key=str)], targets


# 4. A wide-and-deep network, and a scaler not applied to the validation split.


@cache
def wines() -> tuple[dict[str, np.ndarray], dict[str, Tensor]]:
    """Thirteen features as measured, and the cultivar, by split."""
    features, cultivars = load_wine(return_X_y=True)
    rows = split_rows(len(cultivars), 0.2, cultivars)
    return (
        {name: features[each] for name, each in rows.items()},
        {name: torch.tensor(cultivars[each], dtype=torch.int64) for name, each in rows.items()},
    )


class WideAndDeepNet(nn.Module):
    """A linear model and a network of two hidden layers, added (Cheng et al. 2016)."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.wide = nn.Linear(features, classes, bias=False)
        self.deep = nn.Sequential(
            nn.Linear(features, 48), nn.ELU(), nn.Linear(48, 24), nn.ELU(), nn.Linear(24, classes)
        )
        nn.init.normal_(self.wide.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        return self.wide(x) + self.deep(x)


class WideAndDeep(Task):
    """Healthy. All splits are standardised with the training rows' statistics."""

    kind = "classification"
    num_classes = 3
    space = SPACE

    def data(self, split):
        features, cultivars = wines()
        mean, sd = features["train"].mean(0), features["train"].std(0)
        scaled = (features[split] - mean) / sd
        return torch.tensor(scaled, dtype=torch.float32), cultivars[split]

    def model(self, params):
        return WideAndDeepNet(13, 3)


class ScalerForgottenOnValidation(WideAndDeep):
    """Only the training split is standardised; the others stay as measured.

    ``fit_transform`` on the training rows, and no ``transform`` on the rest. Training
    goes well, while validation inputs are up to 1,450 where training saw -3 to 4.

    Expected: step 1 stops or warns, since a static check can compare the splits: same
    preprocessing on both. First cause: the validation inputs are not scaled as the
    training inputs are, not overfitting and not the learning rate.
    """

    def data(self, split):
        if split == "train":
            return super().data(split)
        features, cultivars = wines()
        return torch.tensor(features[split], dtype=torch.float32), cultivars[split]


# 5. A recurrent network with a softmax over its only output.


class ColumnReader(nn.Module):
    """Reads an image's columns both ways; one logit from the mean over the states."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(8, 24, batch_first=True, bidirectional=True)
        self.head = nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x.squeeze(1).transpose(1, 2))
        return self.head(states.mean(1)).squeeze(1)


class ColumnReaderSoftmax(ColumnReader):
    """The same with a softmax over a dimension of size one: all outputs are 1."""

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x.squeeze(1).transpose(1, 2))
        return torch.softmax(self.head(states.mean(1)), dim=1).squeeze(1)


class FiveOrMore(Task):
    """Healthy. Whether a digit is 5 or more: one raw logit (N,), as the targets."""

    kind = "binary"
    space = SPACE

    def data(self, split):
        inputs, labels = images()[split]
        return inputs, (labels >= 5).to(torch.float32)

    def model(self, params):
        return ColumnReader()


class SoftmaxOverOneOutput(FiveOrMore):
    """A softmax, kept from a model of several classes, over the only output.

    It is 1 for every input and every weight, and its gradient is zero: the loss stays at
    0.81 for ever, where even a guess gives ln 2 = 0.69. It stands in ``forward``, so no
    module of that name can be found.

    Expected: step 1 stops or warns. Outputs at initialisation are the same number, 1,
    for all samples and all initialisations. First cause: the output's activation is
    wrong (softmax over one output, and probabilities where logits belong); that no
    gradient arrives and that the input is ignored are its consequences.
    """

    def model(self, params):
        return ColumnReaderSoftmax()


class BlindThird(NamedTuple):
    """A fault, its twin, and what is expected of a good diagnosis.

    Attributes:
        broken: The task with the fault.
        healthy: The same task without it, which must pass steps 1 to 3.
        steps: The steps of which one must be the first to stop or warn.
        codes: The findings of which one must be the first.
    """

    broken: type[Task]
    healthy: type[Task]
    steps: tuple[int, ...]
    codes: tuple[str, ...]


BLIND_THIRD: dict[str, BlindThird] = {
    "minus_forgotten": BlindThird(MinusForgotten, DenseNet, (1,), ("initial_loss_low",)),
    "tied_to_unit_normal": BlindThird(
        TiedToUnitNormal, TiedBagOfWords, (1,), ("initial_loss_high",)
    ),
    "files_sorted_as_text": BlindThird(
        FilesSortedAsText, BatchNormRegression, (3,), ("noisy_labels",)
    ),
    "scaler_forgotten_on_validation": BlindThird(
        ScalerForgottenOnValidation,
        WideAndDeep,
        (1,),
        ("inputs_not_normalised", "train_eval_mismatch"),
    ),
    "softmax_over_one_output": BlindThird(
        SoftmaxOverOneOutput,
        FiveOrMore,
        (1,),
        ("wrong_output_activation", "double_softmax", "constant_prediction"),
    ),
}
"""Five faults by name."""
