"""Base tasks that came to the report half when others left it for a rule's sake."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.faults.tasks import sources
from benchmarks.faults.tasks.base import BenchTask, Healthy, Pair, mlp
from benchmarks.faults.tasks.networks import Attention

CELLS_DIGITS = (0, 1, 4, 6)
PRIMES = (2, 3, 5, 7)


class DigitsAttention(BenchTask):
    """Attention over the cells of an image: is it a 0, a 1, a 4 or a 6?"""

    name = "digits_attention"
    num_classes = len(CELLS_DIGITS)
    traits = frozenset({"relu", "image"})
    healthy = Healthy(
        rates={"sgd": (0.01, 0.03), "adam": (0.001, 0.003)},
        edge=0.3,
        widths=(16, 24, 32),
        batch_sizes=(16, 32),
        epochs=30,
    )

    def samples(self) -> Pair:
        images, digits = sources.digits()
        wanted = torch.tensor(CELLS_DIGITS)
        kept = torch.isin(digits, wanted)
        colours = images[kept].expand(-1, 3, -1, -1).contiguous()  # a photograph's three channels
        return colours, torch.bucketize(digits[kept], wanted)

    def network(self, width: int) -> nn.Module:
        return Attention(width - width % 2, self.num_classes, self.activation)  # for two heads


class DigitsPrimes(BenchTask):
    """An MLP with one answer: is the digit a prime?"""

    name = "digits_primes"
    kind = "binary"
    traits = frozenset({"relu", "deepens", "image"})
    healthy = Healthy(
        rates={"sgd": (0.03, 0.2), "adam": (0.001, 0.004)},
        edge=0.6,
        widths=(32, 64, 128),
        batch_sizes=(32, 64),
        epochs=20,
    )

    def samples(self) -> Pair:
        images, digits = sources.digits()
        return images, torch.isin(digits, torch.tensor(PRIMES)).float()[:, None]

    def network(self, width: int) -> nn.Module:
        return mlp(64, width, 1, depth=self.depth, act=self.activation)


TASKS: tuple[type[BenchTask], ...] = (DigitsAttention, DigitsPrimes)
