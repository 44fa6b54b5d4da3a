"""What every base task has in common: data drawn by a seed, a network with a few knobs.

A fault mutates an instance: it changes a knob, or adds a function that its data, its
network or its loss goes through. The healthy twin is the same instance left alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes import Float, Int, Task
from recipes.space import Params
from recipes.task import SplitName

Pair = tuple[Tensor, Tensor]
DataChange = Callable[[SplitName, Tensor, Tensor], Pair]
"""(split, inputs, targets) -> inputs, targets. Called once a split."""
NetworkChange = Callable[[nn.Module], nn.Module]
Loss = Callable[[Tensor, Tensor], Tensor]

HELD_OUT_SHARE = 0.25
"""Of all samples, what validation gets: as much as the small data sets can spare."""


@dataclass(frozen=True)
class Healthy:
    """Settings under which a base task trains well, from ``python -m benchmarks.faults ranges``.

    Attributes:
        rates: By optimizer, the learning rates at which twins are drawn, low and high.
        edge: Lowest rate of SGD with momentum 0.9 that ends clearly worse than the good ones.
        widths: Hidden units (channels, states) of the twins.
        batch_sizes: Of the twins.
        epochs: Of every run.
        weight_decay: Of every run.
    """

    rates: dict[str, tuple[float, float]]
    edge: float
    widths: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    epochs: int
    weight_decay: float = 1e-4

    @property
    def lr(self) -> float:
        """The rate from which a fault in the rate is measured: SGD's, middle in log space."""
        low, high = self.rates["sgd"]
        return float(np.sqrt(low * high))

    @property
    def width(self) -> int:
        """The middle one."""
        return self.widths[len(self.widths) // 2]

    @property
    def batch_size(self) -> int:
        """The middle one."""
        return self.batch_sizes[len(self.batch_sizes) // 2]


class BenchTask(Task, ABC):
    """One base task. Subclasses give ``samples``, ``network`` and ``healthy``.

    Args:
        data_seed: Draws which samples are for training and which for validation.
        share: Of the training samples, how many are kept.

    Attributes:
        name: As the halves' file calls it.
        traits: What faults ask for: ``relu``, ``batch_norm``, ``recurrent``, ``image``...
        depth: Hidden layers, where the network has a number of them.
        activation: Class of the hidden layers' activation.
        healthy: Settings that train well.
        known: Codes that are true of every run of it, the healthy ones too.
        attach: Called with every network that is built: an onlooker's hooks.
    """

    name: str
    traits: frozenset[str] = frozenset()
    depth: int = 2
    activation: Callable[[], nn.Module] = nn.ReLU
    healthy: Healthy
    known: frozenset[str] = frozenset()

    def __init__(self, data_seed: int = 0, share: float = 1.0) -> None:
        low, high = self.healthy.widths[0], self.healthy.widths[-1]
        self.space = {  # type: ignore[misc]  # one range a task, made with it
            "lr": Float(1e-4, 1.0, log=True),
            "width": Int(low, max(high, low + 1), log=True),
        }
        self.data_seed = data_seed
        self.share = share
        self._data_changes: list[DataChange] = []
        self._network_changes: list[NetworkChange] = []
        self._built: list[nn.Module] = []
        self.attach: Callable[[nn.Module], None] | None = None

    # What a subclass gives.

    @abstractmethod
    def samples(self) -> Pair:
        """All samples, raw: inputs (N, ...), targets (N, ...)."""

    @abstractmethod
    def network(self, width: int) -> nn.Module:
        """A fresh network."""

    # What a fault may call.

    def change_data(self, change: DataChange) -> None:
        """Pass every split through a function, after those that were added before."""
        self._data_changes.append(change)

    def change_network(self, change: NetworkChange) -> None:
        """Pass every fresh network through a function, after those that were added before."""
        self._network_changes.append(change)

    def replace_loss(self, make: Callable[[Loss], Loss]) -> None:
        """Give the task a loss of its own, made from the one that its kind has."""
        self.loss = make(self.own_loss)

    def own_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """What training minimises without a fault: a mean."""
        if self.kind == "classification":
            return F.cross_entropy(output, target)
        if self.kind == "regression":
            return (output - target).square().mean()
        return F.binary_cross_entropy_with_logits(output, target)

    @property
    def is_altered(self) -> bool:
        """Whether a fault was put into it: into the task itself, not into a setting."""
        own = {"loss", "augment", "depth", "activation"}
        return bool(self._data_changes or self._network_changes or own & vars(self).keys())

    @property
    def newest(self) -> nn.Module:
        """The network built last: for a loss that looks at the weights."""
        return self._built[-1]

    # What the trainer calls.

    def data(self, split: SplitName) -> Pair | None:
        """The split's inputs, standardised by the training ones, and its targets."""
        if split == "test":
            return None
        inputs, targets = self._splits()[split]
        for change in self._data_changes:
            inputs, targets = change(split, inputs, targets)
        return inputs, targets

    def model(self, params: Params) -> nn.Module:
        """A fresh network of ``params["width"]``, with the fault's changes."""
        network = self.network(int(params["width"]))
        for change in self._network_changes:
            network = change(network)
        self._built = [network]
        if self.attach is not None:
            self.attach(network)
        return network

    def _splits(self) -> dict[str, Pair]:
        inputs, targets = self.samples()
        generator = np.random.default_rng(self.data_seed)
        order = torch.from_numpy(generator.permutation(len(inputs)))
        num_val = round(HELD_OUT_SHARE * len(inputs))
        num_train = round(self.share * (len(inputs) - num_val))
        rows = {"val": order[:num_val], "train": order[num_val : num_val + num_train]}
        split = {name: (inputs[own], targets[own]) for name, own in rows.items()}
        return {
            name: (self.standardise(x, split["train"][0]), y) for name, (x, y) in split.items()
        }

    def standardise(self, inputs: Tensor, training: Tensor) -> Tensor:
        """Mean 0 and sd 1 by feature, measured on the training samples alone.

        Images and sequences: one number for all positions of a channel.
        """
        if not inputs.is_floating_point():
            return inputs
        over = [axis for axis in range(inputs.ndim) if axis != 1 or inputs.ndim == 3]
        over = [0] if inputs.ndim == 2 else over
        mean = training.mean(over, keepdim=True)
        sd = training.std(over, keepdim=True)
        return (inputs - mean) / sd.clamp_min(1e-6)


def layers(module: nn.Module, *kinds: type[nn.Module]) -> list[nn.Module]:
    """The modules of some kinds, in order of their making."""
    return [each for each in module.modules() if isinstance(each, kinds)]


def weighted(module: nn.Module) -> list[nn.Linear | nn.Conv2d | nn.Conv1d]:
    """The linear and convolutional layers, the outputs' last."""
    found = layers(module, nn.Linear, nn.Conv2d, nn.Conv1d)
    return [each for each in found if isinstance(each, (nn.Linear, nn.Conv2d, nn.Conv1d))]


def mlp(
    num_inputs: int, width: int, num_outputs: int, *, depth: int, act: Callable[[], nn.Module]
) -> nn.Sequential:
    """Flatten, ``depth`` hidden layers of ``width`` units, and the outputs."""
    sizes: Sequence[int] = (num_inputs, *[width] * depth)
    parts: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(sizes):
        parts += [nn.Linear(before, after), act()]
    return nn.Sequential(*parts, nn.Linear(sizes[-1], num_outputs))
