from __future__ import annotations

import pytest
import torch

from tests.worker_tests.training_tasks import (
    Binary,
    Blobs,
    Multilabel,
    OwnLoss,
    Positions,
    Regression,
)
from worker.fused.accuracies import MemberAccuracies
from worker.training.metrics import MAX_WAITING_VALUES, AccuracyMeter, batch_accuracy


def batches(*sizes: int, num_classes: int = 4) -> list[tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(0)
    return [(torch.randn(n, num_classes), torch.randint(0, num_classes, (n,))) for n in sizes]


def test_batches_scored_together_have_the_shares_of_each_alone() -> None:
    accuracy = batch_accuracy(Blobs())
    assert accuracy is not None
    for sizes in [(32,) * 10, (64, 64, 17), (1,), tuple(range(1, 300))]:
        meter = AccuracyMeter(Blobs())
        found = batches(*sizes)
        for output, target in found:
            meter.add(output, target)
        assert meter.read() == [float(accuracy(*each)) for each in found]
        assert meter.read() == []


def test_large_outputs_are_scored_at_once_and_the_order_is_kept() -> None:
    accuracy = batch_accuracy(Blobs())
    assert accuracy is not None
    large = MAX_WAITING_VALUES // 4 + 1
    meter, found = AccuracyMeter(Blobs()), batches(8, large, 9, 10, large, large)
    for output, target in found:
        meter.add(output, target)
    assert meter.read() == [float(accuracy(*each)) for each in found]


@pytest.mark.parametrize("task", [Binary(), Multilabel(), Positions()])
def test_kinds_without_single_labels_are_scored_one_by_one(task: Blobs) -> None:
    accuracy, (inputs, target) = batch_accuracy(task), task.data("val")
    assert accuracy is not None
    output = task.model({})(inputs)
    meter = AccuracyMeter(task)
    meter.add(output, target)
    meter.add(output[:7], target[:7])
    assert meter.read() == [
        float(accuracy(output, target)), float(accuracy(output[:7], target[:7]))
    ]  # fmt: skip


def test_regression_has_none() -> None:
    meter = AccuracyMeter(Regression())
    meter.add(torch.zeros(3, 2), torch.zeros(3, 2))
    assert meter.read() is None


def test_outputs_of_another_shape_than_the_kinds_have_none() -> None:
    outputs, target = torch.zeros(2, 5, 7), torch.arange(5) % 4
    meter, members = AccuracyMeter(OwnLoss()), MemberAccuracies(OwnLoss())
    for _ in range(2):
        meter.add(outputs[0], target)
        members.add(outputs, target, is_shared=True)
    assert meter.read() is None
    assert members.read() is None
