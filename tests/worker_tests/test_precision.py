"""Autocast: products in bfloat16, weights and losses in float32, alone and together."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from recipes.curve import join
from recipes.run import MemberSpec, RunSpec
from recipes.task import Task
from tests.worker_tests.training_tasks import CPU, Blobs
from worker.data.data import load_data
from worker.fused.admission import Admission
from worker.fused.train import train_together
from worker.training.collecting import CollectingReporter
from worker.training.loop import train

RUN = RunSpec(
    members=tuple(
        MemberSpec(trial=trial, params={"batch_size": 32, "lr": lr}, seed=1, data_seed=2)
        for trial, lr in enumerate((0.1, 0.05, 0.02, 0.01))
    ),
    epochs=2,
    evaluate=("val",),
)
BAND = 2e-2
"""Of a loss: bfloat16 keeps 8 bits, so that one product is off by up to 0.4 %."""


class Seen(nn.Module):
    """Writes down the types that go through it."""

    def __init__(self, types: set[torch.dtype]) -> None:
        super().__init__()
        self._types = types

    def forward(self, x: Tensor) -> Tensor:
        self._types.add(x.dtype)
        return x


class Cast(Blobs):
    autocast = "bfloat16"

    def __init__(self) -> None:
        self.types: set[torch.dtype] = set()

    def model(self, params: object) -> nn.Module:
        return nn.Sequential(super().model(params), Seen(self.types))


class PlainCast(Blobs):
    autocast = "bfloat16"


def losses(report: CollectingReporter, trial: int) -> tuple[float, ...]:
    curves = join(block for block in report.blocks if block.trial == trial)
    return curves["loss", "train"].values


def alone(task: Task) -> CollectingReporter:
    report = CollectingReporter()
    train(task, load_data(task, CPU), RUN, report)
    return report


def test_outputs_are_computed_in_bfloat16_and_weights_stay() -> None:
    task = Cast()
    found = alone(task)

    assert task.types == {torch.bfloat16}
    plain, cast = losses(alone(Blobs()), 0), losses(found, 0)
    assert plain != cast
    assert all(math.isclose(*pair, abs_tol=BAND) for pair in zip(plain, cast, strict=True))
    evaluation = found.outcomes[0].evaluation("val")
    assert evaluation is not None
    assert evaluation.metrics["accuracy"].mean > 0.9


def test_together_it_is_as_alone() -> None:
    together = CollectingReporter()
    run = RUN.model_copy(update={"fuse": 4})
    task = PlainCast()
    train_together(task, load_data(task, CPU), run, together, admission=Admission())
    by_one = alone(task)

    assert {each.engine for each in together.outcomes.values()} == {"fused"}
    exact = alone(Blobs())
    for trial in range(4):
        found, wanted = losses(together, trial), losses(by_one, trial)
        assert found != losses(exact, trial)
        assert all(math.isclose(*pair, abs_tol=BAND) for pair in zip(found, wanted, strict=True))
