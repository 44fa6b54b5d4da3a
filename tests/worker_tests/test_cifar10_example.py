"""The CIFAR-10 example, on a small folder of the same layout; on the real one where it is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recipes.run import MemberSpec, RunSpec, TaskRef
from recipes.task import Task
from worker.data.data import load_data
from worker.describe.describe import describe
from worker.describe.loader import TaskError, load_task
from worker.training.collecting import CollectingReporter
from worker.training.loop import train

CPU = torch.device("cpu")
FILE = Path(__file__).parents[2] / "examples" / "cifar10_two_layer.py"
CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
REAL = os.environ.get("TEST_CIFAR10_DIR")


def load(**args: object) -> Task:
    return load_task(TaskRef(path=f"{FILE}:TwoLayerNet", args=args))


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEVENSTEP_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """20 training and 4 test images of each class."""
    generator = np.random.default_rng(0)
    for split, num in (("train", 20), ("test", 4)):
        for name in CLASSES:
            place = tmp_path / "cifar" / split / name
            place.mkdir(parents=True)
            for index in range(num):
                pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{index:04}.jpg")
    return tmp_path / "cifar"


def test_a_tenth_of_the_training_images_is_for_validation(folder: Path) -> None:
    data = load_data(load(path=str(folder)), CPU)
    labels = {name: split.samples.look()[1] for name, split in data.splits.items()}

    assert {name: split.origin for name, split in data.splits.items()} == dict.fromkeys(
        ("train", "val", "test"), "task"
    )
    assert labels["train"].bincount().tolist() == [18] * 10
    assert labels["val"].bincount().tolist() == [2] * 10
    assert labels["test"].bincount().tolist() == [4] * 10


def test_it_is_described_as_the_course_has_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEVENSTEP_CIFAR10_DIR", str(folder))
    task = load()
    found = describe(task, load_data(task, CPU), device=CPU)

    assert found.num_parameters == 3072 * 50 + 50 + 50 * 10 + 10
    assert found.inputs.mean == pytest.approx(0, abs=0.02)
    assert found.inputs.sd == pytest.approx(1, abs=0.02)
    assert set(found.space) == {"lr", "weight_decay", "batch_size"}
    assert found.default_batch_size == min(256, found.splits[0].num_samples)


def test_without_a_folder_it_says_what_to_give() -> None:
    with pytest.raises(TaskError, match="SEVENSTEP_CIFAR10_DIR"):
        load()


def test_a_folder_of_another_layout_is_refused(folder: Path) -> None:
    (folder / "test" / "frog").rename(folder / "test" / "Frog")
    with pytest.raises(TaskError, match="has no folder frog"):
        load(path=str(folder))
    with pytest.raises(TaskError, match="there is no"):
        load(path=str(folder / "nothing"))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not REAL, reason="TEST_CIFAR10_DIR names no folder with CIFAR-10")
def test_the_real_images_are_learned() -> None:
    torch.set_num_threads(1)
    task = load(path=REAL)
    data = load_data(task, CPU)
    assert [data[name].num_samples for name in ("train", "val", "test")] == [45_000, 5_000, 10_000]
    report = CollectingReporter()
    member = MemberSpec(trial=0, params={"lr": 0.01, "batch_size": 128}, seed=0, data_seed=0)
    run = RunSpec(members=(member,), epochs=2, keep_snapshot=True, evaluate_at_best=("val",))
    train(task, data, run, report)
    accuracy = report.outcomes[0].at_best[0].metrics["accuracy"]

    assert accuracy.total / accuracy.n > 0.42  # 0.44 after one epoch, measured
