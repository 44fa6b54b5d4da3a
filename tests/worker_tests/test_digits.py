"""The built-in task: its data is what it says, and its models learn it."""

import pytest
import torch

from recipes.run import TaskRef
from worker.describe.loader import load_task
from worker.tasks.digits import HELD_OUT, splits


def test_splits_hold_every_image_once() -> None:
    sizes = {name: len(inputs) for name, (inputs, _) in splits().items()}
    rows = torch.cat([inputs.flatten(1) for inputs, _ in splits().values()])

    assert sizes == {"train": 1797 - 2 * HELD_OUT, "val": HELD_OUT, "test": HELD_OUT}
    assert len(rows.unique(dim=0)) == 1797


def test_training_inputs_are_standardised() -> None:
    inputs, targets = splits()["train"]

    assert inputs.dtype == torch.float32
    assert inputs.shape[1:] == (1, 8, 8)
    assert inputs.mean().item() == pytest.approx(0, abs=1e-5)
    assert inputs.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    assert targets.dtype == torch.int64


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_every_split_holds_the_classes_in_equal_shares(name: str) -> None:
    _, targets = splits()[name]
    counts = targets.bincount(minlength=10)

    assert counts.max() - counts.min() <= 0.01 * len(targets) + 2


@pytest.mark.parametrize("name", ["digits", "digits-conv"])
def test_models_learn(name: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    task = load_task(TaskRef(path=name))
    model = task.model({"hidden": 64, "channels": 8, "activation": "relu"})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    inputs, targets = splits()["train"]
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    val_inputs, val_targets = splits()["val"]
    accuracy = (model(val_inputs).argmax(1) == val_targets).float().mean()

    assert accuracy > 0.93
