"""Small models of every kind of layer that members may share, and the data they see."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

CLASSES = 4
IMAGE = (2, 8, 8)
SEQUENCE = (6, 8)
NUM_TOKENS = 11


class Attention(nn.Module):
    """Embedded tokens through multi-head attention, layer norm and a mean over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(NUM_TOKENS, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        return self.head(x.mean(1))


class Residual(nn.Module):
    """A convolution with batch norm around which the input goes, then one with group norm."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(2, 4, 3, padding=1)
        self.inner = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.batch_norm = nn.BatchNorm2d(4)
        self.group_norm = nn.GroupNorm(2, 4)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.enter(x))
        x = F.relu(x + self.batch_norm(self.inner(x)))
        x = self.group_norm(F.max_pool2d(x, 2))
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Tied(nn.Module):
    """A linear layer used twice, once by another name, and a bare parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(128, 8)
        self.first = nn.Linear(8, 8)
        self.again = self.first
        self.scale = nn.Parameter(torch.ones(8))
        self.register_buffer("shift", torch.full((8,), 0.1))
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.enter(x.flatten(1)))
        x = torch.sigmoid(self.again(self.first(x)) * self.scale + self.shift)
        return self.head(x)


class Frozen(nn.Module):
    """Some layers do not train, and one is never reached."""

    def __init__(self) -> None:
        super().__init__()
        self.fixed = nn.Linear(128, 16).requires_grad_(False)
        self.unused = nn.Linear(3, 3)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.gelu(self.fixed(x.flatten(1))))


class DroppedOut(nn.Module):
    """Dropout of all kinds that members may differ in, as modules and as a function."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 6, 3, padding=1)
        self.channels = nn.Dropout2d(rate / 2)
        self.units = nn.Dropout(rate)
        self.head = nn.Linear(6 * 16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.channels(F.relu(self.conv(x)))
        x = self.units(F.max_pool2d(x, 2).flatten(1))
        return self.head(F.dropout(x, 0.1, self.training))


class Upsampled(nn.Module):
    """Up and down again: convolutions transposed, interpolation, instance norm, PReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.slope = nn.PReLU(4)
        self.up = nn.ConvTranspose2d(4, 4, 2, stride=2)
        self.norm = nn.InstanceNorm2d(4, affine=True, track_running_stats=True)
        self.larger = nn.Upsample(scale_factor=2, mode="bilinear")
        self.pool = nn.AdaptiveMaxPool2d(2)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.up(self.slope(self.enter(x))))
        return self.head(self.pool(self.larger(x)).flatten(1))


class Normalised(nn.Module):
    """Weights as products, RMS norm, pools along one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = parametrizations.weight_norm(nn.Linear(8, 8))
        self.norm = nn.RMSNorm(8)
        self.pool = nn.AdaptiveMaxPool1d(2)
        self.mean = nn.AdaptiveAvgPool1d(2)
        self.up = nn.ConvTranspose1d(6, 4, 3)
        self.instance = nn.InstanceNorm1d(4)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.enter(x))
        both = torch.cat([self.pool(x), self.mean(x)], 2)
        return self.head(F.pad(self.instance(self.up(both)), (0, 2)).flatten(1))


ACTIVATIONS: tuple[Callable[[], nn.Module], ...] = (
    *(nn.Hardtanh, nn.Hardswish, nn.Mish, nn.SELU, nn.CELU, nn.Softplus, nn.ReLU6, nn.Softsign),
    *(nn.Hardsigmoid, nn.LogSigmoid, nn.Tanhshrink, lambda: nn.Softmax(1), lambda: nn.GLU(1)),
)
FUNCTIONS: tuple[Callable[[Tensor], Tensor], ...] = (
    *(F.hardtanh, F.hardswish, F.mish, F.selu, F.celu, F.softplus, F.relu6, F.softsign),
    *(F.leaky_relu, F.elu, F.gelu, F.silu, F.hardsigmoid, F.logsigmoid, torch.tanh),
    *(lambda x: F.softmax(x, 1), lambda x: F.layer_norm(x, x.shape[1:]), lambda x: F.normalize(x)),
)


class Activated(nn.Module):
    """Every activation in a row, each by a few units of a linear layer of its own."""

    def __init__(self, *, is_functional: bool) -> None:
        super().__init__()
        count = len(FUNCTIONS) if is_functional else len(ACTIVATIONS)
        self.enter = nn.Linear(128, 8)
        self.layers = nn.ModuleList([nn.Linear(8, 4) for _ in range(count)])
        self.activations = nn.ModuleList([] if is_functional else [m() for m in ACTIVATIONS])
        self.head = nn.Linear(4 * count if is_functional else 4 * count - 2, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x.flatten(1))
        own = self.activations if len(self.activations) else FUNCTIONS
        parts = [act(layer(x)) for layer, act in zip(self.layers, own, strict=True)]
        return self.head(torch.cat(parts, 1))


class FunctionalPools(nn.Module):
    """Pools, interpolation and norms called as functions."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 2, 3, 3) * 0.3)
        self.slopes = nn.Parameter(torch.full((4,), 0.25))
        self.back = nn.Parameter(torch.randn(4, 4, 2, 2) * 0.3)
        self.scale, self.shift = nn.Parameter(torch.ones(4)), nn.Parameter(torch.zeros(4))
        self.head = nn.Parameter(torch.randn(CLASSES, 48) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.prelu(F.conv2d(x, self.weight, padding=1, stride=2), self.slopes)
        x = F.conv_transpose2d(x, self.back, stride=2)
        x = F.group_norm(F.instance_norm(x), 2, self.scale, self.shift)
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        pools = (F.adaptive_max_pool2d(x, 2), F.adaptive_avg_pool2d(x, 2), F.avg_pool2d(x, 8))
        return F.linear(torch.cat([each.flatten(1) for each in pools], 1), self.head)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(128, 16), nn.ReLU(), nn.Linear(16, CLASSES))


def convnet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.LeakyReLU()),
        *(nn.Conv2d(4, 4, 3, padding=1, groups=2), nn.SiLU(inplace=True), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.LayerNorm(16), nn.Linear(16, CLASSES)),
    )


def sequence_convnet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv1d(6, 4, 3, padding=1), nn.BatchNorm1d(4), nn.ELU(), nn.MaxPool1d(2)),
        *(nn.InstanceNorm1d(4, affine=True), nn.Flatten(), nn.Linear(16, CLASSES)),
    )


def token_net() -> nn.Module:
    return nn.Sequential(
        *(nn.Embedding(NUM_TOKENS, 8), nn.LayerNorm(8), nn.Linear(8, 6), nn.GELU()),
        *(nn.Flatten(), nn.Linear(36, CLASSES)),
    )


def sequence_net() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv1d(6, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.Tanh(), nn.AvgPool1d(2)),
        *(nn.Dropout1d(0.2), nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.SiLU()),
        nn.Linear(8, CLASSES),
    )


def elementwise() -> nn.Module:
    """Every activation that is written for members, one after the other."""
    kinds = (*(nn.Hardtanh, nn.Hardswish, nn.Mish, nn.SELU, nn.CELU, nn.Softplus, nn.ReLU6),)
    kinds += (nn.Sigmoid, nn.LeakyReLU, nn.ELU, nn.GELU, nn.Identity)
    layers = [layer for kind in kinds for layer in (nn.Linear(8, 8), kind())]
    return nn.Sequential(nn.Flatten(), nn.Linear(128, 8), *layers, nn.Linear(8, CLASSES))


def max_pooled() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv1d(6, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool1d(4)),
        *(nn.AdaptiveAvgPool1d(2), nn.Flatten(), nn.Linear(8, CLASSES)),
    )


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, norm_first=True)
    return nn.Sequential(layer, nn.Flatten(), nn.Linear(48, CLASSES))


MODELS: dict[str, tuple[Callable[[int], nn.Module], str]] = {
    "mlp": (lambda member: mlp(), "images"),
    "convnet": (lambda member: convnet(), "images"),
    "residual": (lambda member: Residual(), "images"),
    "sequence_convnet": (lambda member: sequence_convnet(), "sequences"),
    "token_net": (lambda member: token_net(), "tokens"),
    "sequence_net": (lambda member: sequence_net(), "sequences"),
    "transformer": (lambda member: transformer(), "sequences"),
    "attention": (lambda member: Attention(), "tokens"),
    "tied": (lambda member: Tied(), "images"),
    "frozen": (lambda member: Frozen(), "images"),
    "upsampled": (lambda member: Upsampled(), "images"),
    "normalised": (lambda member: Normalised(), "sequences"),
    "elementwise": (lambda member: elementwise(), "images"),
    "max_pooled": (lambda member: max_pooled(), "sequences"),
    "activated": (lambda member: Activated(is_functional=False), "images"),
    "functional": (lambda member: Activated(is_functional=True), "images"),
    "functional_pools": (lambda member: FunctionalPools(), "images"),
    "dropped_out": (lambda member: DroppedOut((0.5, 0.0, 0.2)[member % 3]), "images"),
}
"""By name: makes the model of a member, and the kind of inputs it takes."""


def samples(kind: str, num: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Inputs in float64, or tokens, and classes that depend on them."""
    generator = torch.Generator().manual_seed(seed)
    if kind == "tokens":
        tokens = torch.randint(NUM_TOKENS, (num, 6), generator=generator)
        return tokens, tokens.sum(1) % CLASSES
    shape = IMAGE if kind == "images" else SEQUENCE
    inputs = torch.randn(num, *shape, generator=generator, dtype=torch.float64)
    return inputs, inputs.flatten(1)[:, :CLASSES].argmax(1)


@contextmanager
def drawn_in_float64() -> Iterator[None]:
    """Models made within have float64 tensors."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def largest_difference(found: Tensor, wanted: Tensor) -> float:
    """Over the largest size of what is wanted, or 1."""
    found, wanted = found.detach().double(), wanted.detach().double()
    difference = float((found - wanted).abs().max())
    return math.inf if math.isnan(difference) else difference / max(1.0, float(wanted.abs().max()))
