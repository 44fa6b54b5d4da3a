from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from worker.training.initialisation import INITIALISATIONS, initialise


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.Flatten(), nn.Linear(400, 300), nn.LSTM(4, 4)
    )


@pytest.mark.parametrize(
    ("init", "conv_sd", "linear_sd"),
    [
        ("kaiming", math.sqrt(2 / 27), math.sqrt(2 / 400)),
        ("xavier", math.sqrt(2 / (27 + 64 * 9)), math.sqrt(2 / 700)),
        ("small_normal", 0.01, 0.01),
    ],
)
def test_weights_have_the_named_spread_and_biases_are_zero(
    init: str, conv_sd: float, linear_sd: float
) -> None:
    net = model()
    initialise(net, init)

    assert float(net[0].weight.detach().std()) == pytest.approx(conv_sd, rel=0.05)
    assert float(net[3].weight.detach().std()) == pytest.approx(linear_sd, rel=0.05)
    assert net[0].bias.abs().sum() == net[3].bias.abs().sum() == 0


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_norms_and_recurrent_layers_keep_their_own(init: str) -> None:
    net, untouched = model(), model()
    initialise(net, init)

    for index in (1, 4):
        pairs = zip(net[index].parameters(), untouched[index].parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_default_leaves_everything() -> None:
    net, untouched = model(), model()
    initialise(net, "default")
    pairs = zip(net.parameters(), untouched.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
