from __future__ import annotations

import torch
from torch import Tensor, nn

from worker.training.regularisation import switch_off


class StochasticDepth(nn.Module):
    """Like torchvision's."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, inputs: Tensor) -> Tensor:
        kept = torch.rand(len(inputs), 1) >= self.p
        return inputs * kept if self.training else inputs


class DropPath(StochasticDepth):
    """Like timm's, which calls its rate ``drop_prob``."""

    def __init__(self, drop_prob: float) -> None:
        super().__init__(drop_prob)
        self.drop_prob = drop_prob
        del self.p

    def forward(self, inputs: Tensor) -> Tensor:
        kept = torch.rand(len(inputs), 1) >= self.drop_prob
        return inputs * kept if self.training else inputs


class Everything(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Sequential(nn.Dropout(0.5), nn.AlphaDropout(0.1), nn.Dropout(0.0))
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.2, batch_first=True)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.gru = nn.GRU(8, 8, num_layers=2, dropout=0.3, batch_first=True)
        self.depth = StochasticDepth(0.4)
        self.path = DropPath(0.4)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.block(self.attention(inputs, inputs, inputs)[0])
        return self.norm(self.path(self.depth(self.drop(self.gru(hidden)[0][:, -1]))))


def test_two_train_mode_passes_agree_once_everything_known_is_off() -> None:
    torch.manual_seed(0)
    model, inputs = Everything(), torch.randn(16, 5, 8)
    model.train()
    assert not torch.equal(model(inputs), model(inputs))

    switched_off = switch_off(model)

    assert torch.equal(model(inputs), model(inputs))
    assert switched_off == (
        "drop.0: Dropout(0.5)",
        "drop.1: AlphaDropout(0.1)",
        "attention: MultiheadAttention(0.2)",
        "block.self_attn: MultiheadAttention(0.1)",
        "block.dropout: Dropout(0.1)",
        "block.dropout1: Dropout(0.1)",
        "block.dropout2: Dropout(0.1)",
        "gru: GRU(0.3)",
        "depth: StochasticDepth(0.4)",
        "path: DropPath(0.4)",
    )
    assert switch_off(model) == ()


def test_batch_norm_stays_on() -> None:
    model = Everything()
    switch_off(model)
    assert model.norm.training
    assert model.norm.track_running_stats


def test_a_bare_dropout_has_a_name() -> None:
    assert switch_off(nn.Dropout(0.5)) == ("model: Dropout(0.5)",)
