"""Images in folders: found, decoded, standardised, learned; errors name the file and the cure."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recipes.description import TaskProblem
from recipes.run import MemberSpec, RunSpec, TaskRef
from recipes.task import Task
from worker.data.data import TaskData, load_data
from worker.data.images import channel_mean_and_sd, read_image, standardised
from worker.data.samples import FetchedSamples
from worker.describe.describe import describe
from worker.describe.loader import TaskError, load_task
from worker.training.collecting import CollectingReporter
from worker.training.loop import train

CPU = torch.device("cpu")
COLOURS = {"blue": 2, "green": 1, "red": 0}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEVENSTEP_CACHE_DIR", str(tmp_path / "cache"))


def noise(seed: int, *, channel: int | None = None, height: int = 8, width: int = 8) -> np.ndarray:
    """Noise, brighter in one channel: what a network can learn."""
    pixels = np.random.default_rng(seed).integers(0, 200, (height, width, 3), dtype=np.uint8)
    if channel is not None:
        pixels[..., channel] += 40
    return pixels


def put(folder: Path, num: int, *, names: tuple[str, ...] = tuple(COLOURS), seed: int = 0) -> None:
    """``num`` images of each class."""
    for name in names:
        (folder / name).mkdir(parents=True)
        for index in range(num):
            pixels = noise(seed + 1000 * len(name) + index, channel=COLOURS.get(name))
            Image.fromarray(pixels).save(folder / name / f"{index:03}.png")


def load(path: Path | str, name: str = "image_folder", **args: object) -> Task:
    return load_task(TaskRef(path=name, args={"path": str(path), **args}))


def problem_of(path: Path | str, **args: object) -> TaskProblem:
    with pytest.raises(TaskError) as caught:
        load_data(load(path, **args), CPU)
    assert caught.value.problem.cure
    return caught.value.problem


def accuracy_after(task: Task, data: TaskData, *, epochs: int, **params: float) -> float:
    torch.set_num_threads(1)
    report = CollectingReporter()
    member = MemberSpec(trial=0, params={"weight_decay": 0.0, **params}, seed=0, data_seed=0)
    run = RunSpec(members=(member,), epochs=epochs, keep_snapshot=True, evaluate_at_best=("val",))
    train(task, data, run, report)
    (evaluation,) = report.outcomes[0].at_best
    moments = evaluation.metrics["accuracy"]
    return moments.total / moments.n


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("image_folder", {"lr": 0.05, "width": 8}),
        ("image_folder-mlp", {"lr": 0.02, "hidden": 32}),
    ],
)
def test_a_folder_a_class_is_learned(name: str, params: dict[str, float], tmp_path: Path) -> None:
    put(tmp_path / "images", 80)
    task = load(tmp_path / "images", name, size=8)
    data = load_data(task, CPU)

    assert task.num_classes == 3
    assert {each: split.origin for each, split in data.splits.items()} == {
        "train": "task",
        "val": "made",
    }
    assert describe(task, data, device=CPU).inputs.shape == (3, 8, 8)
    assert accuracy_after(task, data, epochs=8, **params) > 0.9


def test_folders_of_splits_share_the_classes_numbers(tmp_path: Path) -> None:
    put(tmp_path / "train", 5)
    put(tmp_path / "valid", 2, seed=50)
    put(tmp_path / "test", 3, names=("red", "green"), seed=90)
    data = load_data(load(tmp_path, size=8), CPU)

    assert {each: split.origin for each, split in data.splits.items()} == {
        "train": "task",
        "val": "task",
        "test": "task",
    }
    assert data["test"].samples.look()[1].tolist() == [1, 1, 1, 2, 2, 2]


def test_training_images_give_mean_and_sd_of_every_split(tmp_path: Path) -> None:
    put(tmp_path / "train", 5)
    put(tmp_path / "val", 2, seed=50)
    data = load_data(load(tmp_path, size=8), CPU)
    inputs, _ = data["train"].samples.look()
    raw = torch.stack(
        [
            torch.from_numpy(np.asarray(Image.open(path)).transpose(2, 0, 1).copy())
            for path in sorted((tmp_path / "train").glob("*/*.png"))
        ]
    ).float()
    other = np.asarray(Image.open(tmp_path / "val" / "blue" / "000.png"))

    torch.testing.assert_close(inputs.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(inputs.std((0, 2, 3), correction=0), torch.ones(3))
    expected = (other.transpose(2, 0, 1)[0] - raw[:, 0].mean().item()) / raw[:, 0].std(
        correction=0
    ).item()
    first = data["val"].samples.look()[0][0, 0]
    torch.testing.assert_close(first, torch.from_numpy(expected).float())


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    put(tmp_path, 6, names=("bus", "train"))
    task = load(tmp_path, size=8)

    assert task.num_classes == 2
    assert load_data(task, CPU)["train"].num_samples == 10


def test_images_are_decoded_once_until_a_file_changes(tmp_path: Path) -> None:
    put(tmp_path / "images", 5)
    before = load_data(load(tmp_path / "images", size=8), CPU)
    file = tmp_path / "images" / "red" / "000.png"
    status = file.stat()
    file.write_bytes(b"x" * status.st_size)  # nobody could decode this
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    again = load_data(load(tmp_path / "images", size=8), CPU)
    assert torch.equal(before["train"].samples.look()[0], again["train"].samples.look()[0])
    os.utime(file)
    assert str(file) in problem_of(tmp_path / "images", size=8).message


def test_a_split_too_large_to_hold_is_decoded_as_it_is_asked_for(tmp_path: Path) -> None:
    put(tmp_path / "images", 60)
    task = load(tmp_path / "images", size=1024)
    data = load_data(task, CPU)
    samples = data["train"].samples
    inputs, labels = samples.batch(torch.tensor([0, 143]))

    assert isinstance(samples, FetchedSamples)
    assert data["val"].num_samples == 36
    assert samples.labels is not None
    assert samples.labels.bincount().tolist() == [48, 48, 48]
    assert inputs.shape == (2, 3, 1024, 1024)
    assert labels.tolist() == [0, 2]
    assert inputs.mean().abs() < 0.5


@pytest.mark.parametrize(
    ("size", "expected"), [(None, (3, 6, 12)), (6, (3, 6, 6)), (3, (3, 3, 3)), (20, (3, 20, 20))]
)
def test_the_shorter_side_is_scaled_and_the_middle_cut_out(
    size: int | None, expected: tuple[int, ...], tmp_path: Path
) -> None:
    pixels = np.zeros((6, 12, 3), dtype=np.uint8)
    pixels[:, 3:9] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png", channels=3, size=size)

    assert found.shape == expected
    assert found.dtype == np.uint8
    if size is not None:
        assert found.mean() > 200  # the black ends are cut off


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA", "CMYK"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_image_gets_the_channels_asked_for(
    mode: str, channels: int, tmp_path: Path
) -> None:
    file = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.fromarray(noise(0)).convert(mode).save(file)

    assert read_image(file, channels=channels, size=8).shape == (channels, 8, 8)


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 0x8000, dtype=np.uint16)).save(tmp_path / "a.png")

    assert (read_image(tmp_path / "a.png", channels=1, size=4) == 0x80).all()


def test_an_image_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    pixels = np.zeros((8, 16), dtype=np.uint8)
    pixels[:, :8] = 255
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6  # turned a quarter
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    found = read_image(tmp_path / "a.jpg", channels=1, size=None)[0]

    assert found.shape == (16, 8)
    assert found[:7].mean() > 250
    assert found[9:].mean() < 5


def test_a_channel_of_one_value_becomes_zeros() -> None:
    pixels = torch.full((4, 1, 2, 2), 7, dtype=torch.uint8)
    mean, sd = channel_mean_and_sd(pixels)

    assert sd.tolist() == [1.0]
    assert standardised(pixels, mean, sd).abs().max() == 0


def _cut_jpeg(file: Path) -> None:
    Image.fromarray(noise(0, height=64, width=64)).save(file)
    file.write_bytes(file.read_bytes()[:600])


def _cut_png(file: Path) -> None:
    Image.fromarray(noise(0, height=64, width=64)).save(file, format="png")
    file.write_bytes(file.read_bytes()[:6000])


def _nonsense(file: Path) -> None:
    file.write_bytes(b"GIF89a but not really")


def _nothing(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("write", [_cut_jpeg, _cut_png, _nonsense, _nothing])
def test_a_corrupt_image_is_named(write, tmp_path: Path) -> None:
    put(tmp_path / "images", 4)
    file = tmp_path / "images" / "red" / "bad.jpg"
    write(file)
    problem = problem_of(tmp_path / "images")

    assert f"the image {file} cannot be decoded" in problem.message
    assert problem.file == str(file)
    assert problem.traceback is None


def test_a_class_without_images_is_named(tmp_path: Path) -> None:
    put(tmp_path, 2)
    (tmp_path / "yellow").mkdir()
    (tmp_path / "yellow" / "notes.txt").write_text("none yet")

    assert f"{tmp_path / 'yellow'} holds no images" in problem_of(tmp_path).message


def test_a_class_that_training_does_not_have_is_named(tmp_path: Path) -> None:
    put(tmp_path / "train", 2)
    put(tmp_path / "test", 2, names=("red", "yellow"))
    problem = problem_of(tmp_path)

    assert "'yellow'" in problem.message
    assert str(tmp_path / "test") in problem.message


def test_one_class_alone_is_refused(tmp_path: Path) -> None:
    put(tmp_path, 2, names=("red",))

    assert "one class alone, 'red'" in problem_of(tmp_path).message


def test_two_folders_for_one_split_are_refused(tmp_path: Path) -> None:
    for name in ("train", "val", "valid"):
        put(tmp_path / name, 2)

    assert "val and valid" in problem_of(tmp_path).message


def test_a_folder_of_loose_images_is_refused(tmp_path: Path) -> None:
    Image.fromarray(noise(0)).save(tmp_path / "a.png")
    problem = problem_of(tmp_path)

    assert "has no sub-folders" in problem.message
    assert "sub-folder" in problem.cure


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"size": 3}, "size is 3"),
        ({"size": 32.5}, "size is 32.5"),
        ({"size": True}, "size is True"),
        ({"size": 5000}, "size is 5000"),
        ({"channels": 2}, "channels is 2"),
        ({"channels": "3"}, "channels is '3'"),
    ],
)
def test_an_argument_that_does_not_fit_is_named(
    args: dict[str, object], words: str, tmp_path: Path
) -> None:
    put(tmp_path, 2)

    assert words in problem_of(tmp_path, **args).message


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/no/such/folder", "there is no /no/such/folder"),
        ("images", "a relative path"),
        ("~nobody-of-this-name/images", "there is no such home"),
        ("", "path is ''"),
        ("/a\0b", "path is '/a\\x00b'"),
    ],
)
def test_a_path_that_does_not_fit_is_named(path: str, words: str) -> None:
    assert words in problem_of(path).message


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "images.zip"
    file.write_bytes(b"")

    assert "is not a folder" in problem_of(file).message
