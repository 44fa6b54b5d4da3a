from __future__ import annotations

import pytest
import torch

from recipes.run import Sample
from tests.worker_tests.training_tasks import CPU, Blobs
from worker.data.batches import BatchPlan, TrainingSample
from worker.data.data import load_data
from worker.training.seeding import batch_order


def sizes(num_samples: int, batch_size: int, **length: int) -> list[list[int]]:
    plan = BatchPlan.of_run(
        num_samples, batch_size, epochs=length.get("epochs"), iterations=length.get("iterations")
    )
    return [
        [len(batch) for batch in plan.batches(0, epoch=epoch, device=CPU)]
        for epoch in range(plan.num_epochs)
    ]


@pytest.mark.parametrize(
    ("num_samples", "batch_size", "expected"),
    [
        (10, 4, [4, 4, 2]),
        (9, 4, [4, 4]),  # the one left over is left out
        (8, 4, [4, 4]),
        (3, 64, [3]),
        (3, 1, [1, 1, 1]),
        (2, 2, [2]),
    ],
)
def test_an_epoch_is_one_pass(num_samples: int, batch_size: int, expected: list[int]) -> None:
    assert sizes(num_samples, batch_size, epochs=2) == [expected, expected]


def test_iterations_cut_the_last_epoch() -> None:
    assert sizes(10, 4, iterations=5) == [[4, 4, 2], [4, 4]]
    assert sizes(10, 4, iterations=6) == [[4, 4, 2], [4, 4, 2]]
    assert sizes(10, 4, iterations=0) == []


def test_every_epoch_has_its_own_order_and_every_sample_once() -> None:
    plan = BatchPlan.of_run(50, 8, epochs=2, iterations=None)
    epochs = [torch.cat(list(plan.batches(3, epoch=epoch, device=CPU))) for epoch in range(2)]

    assert not torch.equal(*epochs)
    assert all(torch.equal(epoch.sort().values, torch.arange(50)) for epoch in epochs)
    assert not torch.equal(epochs[0], batch_order(4, epoch=0, num_samples=50))
    assert torch.equal(epochs[0], batch_order(3, epoch=0, num_samples=50))


def test_a_sample_is_stratified_and_its_inputs_can_be_zeroed() -> None:
    data = load_data(Blobs(), CPU)
    plain = TrainingSample(data, Sample(num_samples=32, seed=1))
    zeroed = TrainingSample(data, Sample(num_samples=32, seed=1, zero_inputs=True))
    everything = torch.arange(32)
    inputs, targets = plain.batch(everything)
    zeros, same = zeroed.batch(everything)

    assert targets.bincount().tolist() == [8, 8, 8, 8]
    assert torch.equal(targets, same)
    assert inputs.abs().sum() > 0
    assert zeros.abs().sum() == 0
    assert zeros.shape == inputs.shape
    assert plain.digest == zeroed.digest
