"""Evaluations of several rows: one model after the other, or mapped as on a GPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from recipes.outcome import Evaluation
from recipes.task import Task
from tests.worker_tests.training_tasks import CPU, Blobs, OwnLoss, Regularised
from worker.data.data import load_data
from worker.fused import evaluation
from worker.fused.evaluation import evaluate_rows
from worker.fused.stack import Stack
from worker.training.member import Evaluated

NUM_ROWS = 5


def evaluations(task: Task, *, is_mapped: bool) -> list[Evaluation]:
    models = []
    for seed in range(NUM_ROWS):
        torch.manual_seed(seed)
        models.append(task.model({"width": 16}))
    samples = load_data(task, CPU)["val"]
    evaluated = Evaluated("val", samples, torch.arange(samples.num_samples))
    return evaluate_rows(
        task, Stack(models), range(NUM_ROWS), evaluated, iteration=3, is_mapped=is_mapped
    )


@pytest.mark.parametrize("task", [Blobs(), OwnLoss(), Regularised()])
def test_mapped_they_are_the_same(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "ROWS_AT_ONCE", 2)
    one_by_one, mapped = (evaluations(task, is_mapped=each) for each in (False, True))
    means = [each.loss.mean for each in one_by_one]

    assert len(set(means)) == NUM_ROWS
    assert [each.loss.mean for each in mapped] == pytest.approx(means, rel=1e-5)
    assert [each.correct for each in mapped] == [each.correct for each in one_by_one]


class Halves(nn.Module):
    """Writes into what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x /= 2
        output: Tensor = self.head(x)
        return output


class Branches(nn.Module):
    """Cannot be mapped in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(x)
        return output if self.training or output.sum() > 0 else output * 2


@pytest.mark.parametrize("is_mapped", [True, False])
@pytest.mark.parametrize("model", [Halves, Branches])
def test_each_sees_the_data_as_they_are(model: type[nn.Module], is_mapped: bool) -> None:
    class Its(Blobs):
        def model(self, params: Any) -> nn.Module:
            return model()

    found = evaluations(Its(), is_mapped=is_mapped)
    samples = load_data(Its(), CPU)["val"]
    for seed, each in enumerate(found):
        torch.manual_seed(seed)
        with torch.no_grad():
            inputs, target = samples.batch(torch.arange(samples.num_samples))
            wanted = nn.functional.cross_entropy(model().eval()(inputs), target)
        assert each.loss.mean == pytest.approx(float(wanted), rel=1e-5)
