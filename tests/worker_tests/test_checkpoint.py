from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from worker.training.checkpoint import Progress, pack, read_progress, restore
from worker.training.optimizers import OptimizerSettings, PlainOptimizer

PROGRESS = Progress(
    epoch=2,
    iteration=34,
    seconds=1.5,
    evaluations=(),
    initialisation=None,
    recent_losses=(0.1, math.inf, 1 / 3),
    num_below=3,
    pending={"loss": ((33, math.nan), (34, 0.7))},
)


class Tied(nn.Module):
    """Tied weights, a buffer that state_dict leaves out, and a scalar one (batch norm's)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 3), nn.Linear(3, 5)
        self.head.weight = self.embed.weight
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("hidden", torch.rand(2), persistent=False)


def made(seed: int) -> tuple[Tied, PlainOptimizer]:
    torch.manual_seed(seed)
    model = Tied()
    optimizer = PlainOptimizer(model.parameters(), OptimizerSettings(name="adam", lr=0.1))
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    return model, optimizer


def test_everything_comes_back() -> None:
    old, old_optimizer = made(1)
    new, new_optimizer = made(2)
    content = pack(old, old_optimizer, PROGRESS)
    restore(content, new, new_optimizer)

    assert all(torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(old.buffers(), new.buffers(), strict=True))
    assert new.head.weight is new.embed.weight
    stored, loaded = old_optimizer.state(), new_optimizer.state()
    assert stored.keys() == loaded.keys()
    assert all(torch.equal(stored[name], loaded[name]) for name in stored)
    assert read_progress(content).model_dump_json() == PROGRESS.model_dump_json()


def test_the_same_state_has_the_same_bytes() -> None:
    assert pack(*made(1), PROGRESS) == pack(*made(1), PROGRESS)
    assert pack(*made(1), PROGRESS) != pack(*made(2), PROGRESS)


def test_a_checkpoint_does_not_change_with_the_model_it_was_taken_of() -> None:
    model, optimizer = made(1)
    content = pack(model, optimizer, PROGRESS)
    with torch.no_grad():
        model.head.weight.zero_()
    restore(content, model, optimizer)
    assert model.head.weight.abs().sum() > 0


def test_a_checkpoint_of_another_model_is_refused_and_nothing_is_changed() -> None:
    content = pack(*made(1), PROGRESS)
    other, optimizer = made(2)
    other.head.bias = nn.Parameter(torch.zeros(7))
    before = other.embed.weight.clone()
    with pytest.raises(ValueError, match=r"does not fit the model \(head.bias differ\)"):
        restore(content, other, optimizer)
    assert torch.equal(before, other.embed.weight)
