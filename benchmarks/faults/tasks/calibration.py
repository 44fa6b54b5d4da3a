"""The base tasks on which rules and bench are worked on."""

from __future__ import annotations

from torch import nn

from benchmarks.faults.tasks import sources
from benchmarks.faults.tasks.base import BenchTask, Healthy, Pair, mlp
from benchmarks.faults.tasks.networks import Recurrent, conv_net, residual_net


class DigitsMLP(BenchTask):
    """An MLP on digits."""

    name = "digits_mlp"
    num_classes = 10
    traits = frozenset({"relu", "deepens", "image"})
    healthy = Healthy(
        rates={"sgd": (0.02, 0.12), "adam": (0.002, 0.01)},
        edge=0.3,
        widths=(32, 64, 128),
        batch_sizes=(32, 64, 128),
        epochs=30,
    )

    def samples(self) -> Pair:
        return sources.digits()

    def network(self, width: int) -> nn.Module:
        return mlp(64, width, 10, depth=self.depth, act=self.activation)


class PatchesResidual(BenchTask):
    """A batch-normed residual net on patches of photographs: of which one?"""

    name = "patches_residual"
    num_classes = 2
    traits = frozenset({"relu", "batch_norm", "image"})
    healthy = Healthy(
        rates={"sgd": (0.003, 0.03), "adam": (0.001, 0.004)},
        edge=0.3,
        widths=(4, 6, 8),
        batch_sizes=(32, 64, 128),
        epochs=20,
    )

    def samples(self) -> Pair:
        return sources.patch_sources()

    def network(self, width: int) -> nn.Module:
        return residual_net(3, width, 2, self.activation)


class DigitsRows(BenchTask):
    """A recurrent net that reads a digit row by row."""

    name = "digits_rows"
    num_classes = 10
    traits = frozenset({"relu", "recurrent"})
    healthy = Healthy(
        rates={"sgd": (0.06, 0.15), "adam": (0.004, 0.01)},
        edge=0.3,
        widths=(24, 32, 48),
        batch_sizes=(32, 64),
        epochs=30,
    )

    def samples(self) -> Pair:
        inputs, labels = sources.digits()
        return inputs.squeeze(1), labels

    def network(self, width: int) -> nn.Module:
        return Recurrent(8, width, 10, self.activation)


class CancerMLP(BenchTask):
    """A table: is the tumour benign?"""

    name = "cancer"
    kind = "binary"
    traits = frozenset({"relu", "deepens", "table"})
    known = frozenset({"small_validation_set"})  # 142 samples
    healthy = Healthy(
        rates={"sgd": (0.02, 0.08), "adam": (0.004, 0.012)},
        edge=1.0,
        widths=(8, 16, 32),
        batch_sizes=(32, 64),
        epochs=20,
        weight_decay=1e-2,
    )

    def samples(self) -> Pair:
        return sources.cancer()

    def network(self, width: int) -> nn.Module:
        return mlp(30, width, 1, depth=self.depth, act=self.activation)


class DiabetesMLP(BenchTask):
    """A table: how far will the disease go?"""

    name = "diabetes"
    kind = "regression"
    traits = frozenset({"relu", "deepens", "table"})
    known = frozenset({"small_validation_set"})  # 110 samples
    healthy = Healthy(
        rates={"sgd": (0.006, 0.015), "adam": (0.003, 0.006)},
        edge=0.3,
        widths=(16, 24, 32),
        batch_sizes=(32, 64),
        epochs=20,
        weight_decay=1e-2,
    )

    def samples(self) -> Pair:
        return sources.diabetes()

    def network(self, width: int) -> nn.Module:
        return mlp(10, width, 1, depth=self.depth, act=self.activation)


class DigitsAttributes(BenchTask):
    """An MLP with five answers a digit: even, prime, above four, a loop, a foot?"""

    name = "digits_attributes"
    kind = "multilabel"
    traits = frozenset({"relu", "deepens", "image"})
    healthy = Healthy(
        rates={"sgd": (0.05, 0.3), "adam": (0.002, 0.008)},
        edge=3.0,
        widths=(32, 64, 128),
        batch_sizes=(32, 64),
        epochs=30,
    )

    def samples(self) -> Pair:
        return sources.digit_attributes()

    def network(self, width: int) -> nn.Module:
        return mlp(64, width, 5, depth=self.depth, act=self.activation)


class Scanlines(BenchTask):
    """A recurrent net that tells the next pixel of a row of a photograph."""

    name = "scanlines"
    kind = "regression"
    traits = frozenset({"relu", "recurrent"})
    known = frozenset({"small_validation_set"})  # some 200 samples, of R²
    healthy = Healthy(
        rates={"sgd": (0.005, 0.03), "adam": (0.002, 0.008)},
        edge=0.1,
        widths=(8, 12, 16),
        batch_sizes=(32, 64),
        epochs=20,
    )

    def samples(self) -> Pair:
        return sources.scanlines()

    def network(self, width: int) -> nn.Module:
        return Recurrent(1, width, 1, self.activation)


class PatchesAttributes(BenchTask):
    """A ConvNet with four answers a patch: bright, red, rough, brighter above?"""

    name = "patches_attributes"
    kind = "multilabel"
    traits = frozenset({"relu", "image"})
    healthy = Healthy(
        rates={"sgd": (0.03, 0.1), "adam": (0.004, 0.01)},
        edge=0.3,
        widths=(8, 12, 16),
        batch_sizes=(32, 64),
        epochs=30,
    )

    def samples(self) -> Pair:
        return sources.patch_attributes()

    def network(self, width: int) -> nn.Module:
        return conv_net(3, width, 4, self.activation)


TASKS: tuple[type[BenchTask], ...] = (
    DigitsMLP,
    PatchesResidual,
    DigitsRows,
    CancerMLP,
    DiabetesMLP,
    DigitsAttributes,
    Scanlines,
    PatchesAttributes,
)
