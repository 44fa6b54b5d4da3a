"""The base tasks of the first report half.

``halves.json`` says which are in it still: those that no rule was worked on with. How often
they were looked at stands in ``ledger.json``.
"""

from __future__ import annotations

from torch import nn

from benchmarks.faults.tasks import sources
from benchmarks.faults.tasks.base import BenchTask, Healthy, Pair, mlp
from benchmarks.faults.tasks.networks import Attention, Recurrent, conv_net, residual_net


class DigitsConv(BenchTask):
    """A ConvNet on digits."""

    name = "digits_conv"
    num_classes = 10
    traits = frozenset({"relu", "image"})
    healthy = Healthy(
        rates={"sgd": (0.02, 0.07), "adam": (0.005, 0.012)},
        edge=0.3,
        widths=(6, 8, 12),
        batch_sizes=(32, 64, 128),
        epochs=20,
    )

    def samples(self) -> Pair:
        return sources.digits()

    def network(self, width: int) -> nn.Module:
        return conv_net(1, width, 10, self.activation)


class DigitsResidual(BenchTask):
    """A batch-normed residual net on digits."""

    name = "digits_residual"
    num_classes = 10
    traits = frozenset({"relu", "batch_norm", "image"})
    healthy = Healthy(
        rates={"sgd": (0.005, 0.06), "adam": (0.002, 0.01)},
        edge=0.3,
        widths=(4, 6, 8),
        batch_sizes=(32, 64, 128),
        epochs=20,
    )

    def samples(self) -> Pair:
        return sources.digits()

    def network(self, width: int) -> nn.Module:
        return residual_net(1, width, 10, self.activation)


class PatchesAttention(BenchTask):
    """Attention over the cells of a patch: which photograph is it of?"""

    name = "patches_attention"
    num_classes = 2
    traits = frozenset({"relu", "image"})
    healthy = Healthy(
        rates={"sgd": (0.005, 0.03), "adam": (0.0006, 0.003)},
        edge=0.3,
        widths=(16, 24, 32),
        batch_sizes=(32, 64),
        epochs=20,
    )

    def samples(self) -> Pair:
        return sources.patch_sources()

    def network(self, width: int) -> nn.Module:
        return Attention(width - width % 2, 2, self.activation)  # two heads share it


class WineMLP(BenchTask):
    """A small table: which grower's wine?"""

    name = "wine"
    num_classes = 3
    traits = frozenset({"relu", "deepens", "table"})
    known = frozenset({"small_validation_set"})  # 44 samples
    healthy = Healthy(
        rates={"sgd": (0.008, 0.03), "adam": (0.003, 0.008)},
        edge=1.0,
        widths=(8, 16, 32),
        batch_sizes=(16, 32),
        epochs=30,
        weight_decay=1e-2,
    )

    def samples(self) -> Pair:
        return sources.wine()

    def network(self, width: int) -> nn.Module:
        return mlp(13, width, 3, depth=self.depth, act=self.activation)


class DigitsFeet(BenchTask):
    """A recurrent net that reads a digit's upper rows and tells how much ink is below them."""

    name = "digits_feet"
    kind = "regression"
    traits = frozenset({"relu", "recurrent"})
    healthy = Healthy(
        rates={"sgd": (0.02, 0.1), "adam": (0.002, 0.012)},
        edge=0.3,
        widths=(16, 24, 32),
        batch_sizes=(32, 64),
        epochs=30,
    )

    def samples(self) -> Pair:
        return sources.digit_feet()

    def network(self, width: int) -> nn.Module:
        return Recurrent(8, width, 1, self.activation)


class DigitsBalance(BenchTask):
    """A ConvNet with three answers a digit: much ink, more of it above, more of it on the left?"""

    name = "digits_balance"
    kind = "multilabel"
    traits = frozenset({"relu", "image"})
    healthy = Healthy(
        rates={"sgd": (0.02, 0.08), "adam": (0.003, 0.012)},
        edge=0.3,
        widths=(6, 8, 12),
        batch_sizes=(32, 64),
        epochs=20,
    )

    def samples(self) -> Pair:
        return sources.digit_balance()

    def network(self, width: int) -> nn.Module:
        return conv_net(1, width, 3, self.activation)


TASKS: tuple[type[BenchTask], ...] = (
    DigitsConv,
    DigitsResidual,
    PatchesAttention,
    WineMLP,
    DigitsFeet,
    DigitsBalance,
)
