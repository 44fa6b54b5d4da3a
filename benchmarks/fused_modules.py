"""Modules that members may be made of, and what the fused trainer says of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from recipes import Task
from recipes.run import MemberSpec, RunSpec
from worker.data.data import load_data
from worker.fused.admission import admit
from worker.fused.form import form_of
from worker.fused.refusal import NotFusable
from worker.training.member import make_member

Made = Callable[[], nn.Module]


class Lambda(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """What the function says."""
        return self.function(x)


class Recurrent(nn.Module):
    """The last output of a recurrent layer over 8 positions of 4 features."""

    def __init__(self, layer: type[nn.RNNBase]) -> None:
        super().__init__()
        self.layer = layer(4, 8, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 32) -> (B, 8)."""
        return self.layer(x.view(len(x), 8, 4))[0][:, -1]


class Attention(nn.Module):
    """Self-attention over 8 positions of 4 features."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(4, 2, dropout=dropout, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 32) -> (B, 4)."""
        x = x.view(len(x), 8, 4)
        return self.layer(x, x, x)[0].mean(1)


class Tokens(nn.Module):
    """Embeddings of the inputs' signs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Embedding(2, 8)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 32) -> (B, 8)."""
        return self.layer((x > 0).long()).mean(1)


class Branches(nn.Module):
    """Takes one of two ways by the values it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(32, 8)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 32) -> (B, 8)."""
        hidden = self.layer(x)
        return hidden if hidden.sum() > 0 else -hidden


class Remembers(nn.Module):
    """Keeps an activation for the next forward."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(32, 8)
        self.before = torch.zeros(8)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 32) -> (B, 8)."""
        hidden = self.layer(x) + self.before.to(x)
        self.before = hidden.detach().mean(0)
        return hidden


class FunctionalDropout(nn.Module):
    """Dropout called as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(32, 8)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 32) -> (B, 8)."""
        return F.dropout(self.layer(x), 0.2, self.training)


def _rows(*layers: nn.Module) -> Made:
    return lambda: nn.Sequential(nn.Linear(32, 8), *layers)


def _images(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Unflatten(1, (2, 4, 4)), *layers, nn.Flatten())


def _positions(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Unflatten(1, (4, 8)), *layers, nn.Flatten())


MODULES: dict[str, Made] = {
    "Linear": _rows(),
    "Bilinear, einsum": _rows(Lambda(lambda x: torch.einsum("bi,bj->bij", x, x).flatten(1))),
    "ReLU, GELU, SiLU, ELU, Tanh": _rows(nn.ReLU(), nn.GELU(), nn.SiLU(), nn.ELU(), nn.Tanh()),
    "PReLU": _rows(nn.PReLU(8)),
    "Softmax, LogSoftmax": _rows(nn.Softmax(1), nn.LogSoftmax(1)),
    "Conv1d": lambda: _positions(nn.Conv1d(4, 4, 3)),
    "Conv2d": lambda: _images(nn.Conv2d(2, 4, 3)),
    "Conv2d, groups and dilation": lambda: _images(nn.Conv2d(2, 4, 2, groups=2, dilation=2)),
    "ConvTranspose2d": lambda: _images(nn.ConvTranspose2d(2, 4, 2)),
    "MaxPool2d": lambda: _images(nn.Conv2d(2, 4, 1), nn.MaxPool2d(2)),
    "AvgPool2d": lambda: _images(nn.Conv2d(2, 4, 1), nn.AvgPool2d(2)),
    "AdaptiveAvgPool2d": lambda: _images(nn.Conv2d(2, 4, 1), nn.AdaptiveAvgPool2d(1)),
    "Upsample": lambda: _images(nn.Conv2d(2, 4, 1), nn.Upsample(scale_factor=2)),
    "BatchNorm1d": _rows(nn.BatchNorm1d(8)),
    "BatchNorm2d": lambda: _images(nn.Conv2d(2, 4, 1, bias=False), nn.BatchNorm2d(4)),
    "LayerNorm": _rows(nn.LayerNorm(8)),
    "RMSNorm": _rows(nn.RMSNorm(8)),
    "GroupNorm": lambda: _images(nn.Conv2d(2, 4, 1), nn.GroupNorm(2, 4)),
    "InstanceNorm2d": lambda: _images(nn.Conv2d(2, 4, 1), nn.InstanceNorm2d(4, affine=True)),
    "Dropout, Dropout2d": lambda: _images(
        nn.Dropout2d(0.2), nn.Conv2d(2, 4, 1), nn.Flatten(), nn.Dropout(0.5)
    ),
    "AlphaDropout": _rows(nn.AlphaDropout(0.2)),
    "Embedding": Tokens,
    "MultiheadAttention": Attention,
    "TransformerEncoderLayer": lambda: _positions(
        nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    ),
    "weight_norm": lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(32, 8))),
    "spectral_norm": lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(32, 8))),
    "LSTM": lambda: Recurrent(nn.LSTM),
    "GRU": lambda: Recurrent(nn.GRU),
    "RNN": lambda: Recurrent(nn.RNN),
    "torch.where": _rows(Lambda(lambda x: torch.where(x > 0, x, 0.1 * x))),
    "functional dropout": FunctionalDropout,
    "attention with dropout": lambda: Attention(0.1),
    "noise drawn in the forward": _rows(Lambda(lambda x: x + torch.randn_like(x))),
    "a branch on values": Branches,
    "state kept outside buffers": Remembers,
}
"""By name: a layer or a small net that takes (B, 32)."""


class Probe(Task):
    """Two hundred rows of 32 numbers in four classes, and one of the modules before a head."""

    num_classes = 4

    def __init__(self, name: str) -> None:
        self._made = MODULES[name]

    def data(self, split: str) -> tuple[Tensor, Tensor]:
        """The split's rows."""
        generator = torch.Generator().manual_seed(len(split))
        inputs = torch.randn(200, 32, generator=generator)
        return inputs, inputs[:, :4].argmax(1)

    def model(self, params: Any) -> nn.Module:
        """The module, and a linear head on what it gives."""
        with torch.no_grad():
            width = self._made()(torch.zeros(2, 32)).shape[1]
        return nn.Sequential(self._made(), nn.Linear(width, 4))


def reason_against(name: str) -> str | None:
    """Why members made of a module do not train together; None: they do."""
    task = Probe(name)
    data = load_data(task, torch.device("cpu"))
    specs = [MemberSpec(trial=k, params={}, seed=k, data_seed=0) for k in range(2)]
    run = RunSpec(members=tuple(specs), iterations=10, evaluate=())
    members = [make_member(task, data, run, spec) for spec in specs]
    try:
        if form_of(members[0].model) != form_of(members[1].model):
            return "their forms differ"
        admit(task, members)
    except NotFusable as refused:
        return str(refused)
    return None
