"""Image classification from files in a folder a class.

Two layouts: the classes' folders themselves, or ``train``, ``val`` and ``test`` with the
classes' folders in each of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import PIL
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from recipes import Float, Int, Task
from recipes.space import Params
from recipes.task import SplitName
from worker.data.decoded import decoded, files_key
from worker.data.images import (
    MODES,
    channel_mean_and_sd,
    class_folders,
    read_image,
    read_images,
    standardised,
)
from worker.data.paths import existing_path
from worker.data.samples import MAX_HELD_BYTES
from worker.describe.errors import task_error

SPLIT_FOLDERS: dict[SplitName, tuple[str, ...]] = {
    "train": ("train",),
    "val": ("val", "valid", "validation"),
    "test": ("test",),
}
"""What the folders of the splits are called."""
SIZES = range(4, 1025)
"""Heights and widths in pixels: two poolings need 4, and beyond 1,024 one batch fills a GPU."""
MAX_MEASURED = 2_000
"""Images whose mean and sd stand for those of a training split too large to hold: a mean's
standard error is then about 2 % of an sd, were every image of one value."""
MAX_MEASURED_BYTES = 256 * 1024**2
"""Most bytes of such images, held at once: 85 of them at 1,024 x 1,024 in colour."""


class ImageFolder(Task):
    """A small ConvNet: two 3 x 3 convolutions, each with ReLU and pooling, then a linear layer.

    Args:
        path: The folder.
        size: Height and width in pixels that images are brought to: the shorter side is
            scaled, the middle square cut out.
        channels: 3 for colour, 1 for grey.

    Raises:
        TaskError: The folder or an argument does not fit; names it and the cure.
    """

    kind = "classification"
    space = {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
        "width": Int(8, 32, log=True),
    }

    def __init__(self, path: str, size: int = 32, channels: int = 3) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size not in SIZES:
            raise task_error(
                f"size is {size!r}", cure=f"give whole pixels from {SIZES[0]} to {SIZES[-1]}"
            )
        if isinstance(channels, bool) or channels not in MODES:
            raise task_error(f"channels is {channels!r}", cure="give 3 (colour) or 1 (grey)")
        self.size = size
        self.channels = channels
        folder = existing_path("path", path, is_folder=True)
        self._files: dict[SplitName, list[Path]] = {}
        self._labels: dict[SplitName, Tensor] = {}
        self._find(folder)

    def data(self, split: SplitName) -> tuple[Tensor, Tensor] | Dataset[tuple[Tensor, int]] | None:
        """The split's images, float32 (N, channels, size, size), and class numbers.

        Standardised by the mean and sd of each channel of the training images.
        """
        if split not in self._files:
            return None
        files, labels = self._files[split], self._labels[split]
        mean, sd = self._training["mean"], self._training["sd"]
        if not self._fits(split):
            return FetchedImages(files, labels, mean, sd, channels=self.channels, size=self.size)
        if split == "train":
            return self._training["inputs"], labels

        def make() -> dict[str, Tensor]:
            return {"inputs": standardised(self._read(files), mean, sd)}

        key = self._key(files, mean=mean.tolist(), sd=sd.tolist())
        return decoded(key, make)["inputs"], labels

    def model(self, params: Params) -> nn.Module:
        """A fresh network with ``params["width"]`` filters in its first layer."""
        width = int(params["width"])
        pooled = min(4, self.size // 4)
        return nn.Sequential(
            nn.Conv2d(self.channels, width, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d(pooled),
            nn.Flatten(),
            nn.Linear(2 * width * pooled**2, len(self.classes)),
        )

    def _find(self, folder: Path) -> None:
        """Learn the classes and the files of each split."""
        places = _split_folders(folder)
        found = {split: class_folders(place) for split, place in places.items()}
        self.classes = tuple(found["train"])
        self.num_classes = len(self.classes)
        if self.num_classes < 2:
            raise task_error(
                f"there is one class alone, {self.classes[0]!r}, in {places['train']}",
                cure="put the images of each class into a sub-folder of its own, at least two",
            )
        number = {name: index for index, name in enumerate(self.classes)}
        for split, files in found.items():
            # By name, so that a number means one class in every split.
            unknown = [name for name in files if name not in number]
            if unknown:
                raise task_error(
                    f"{places[split]} has the class {unknown[0]!r}, and {places['train']} has"
                    f" only {', '.join(self.classes)}",
                    cure="give the classes' folders the same names in every split",
                )
            self._files[split] = [file for each in files.values() for file in each]
            self._labels[split] = torch.tensor(
                [number[name] for name, each in files.items() for _ in each]
            )

    @cached_property
    def _training(self) -> dict[str, Tensor]:
        """The training images' mean and sd, and where they fit the standardised images."""
        files, fits = self._files["train"], self._fits("train")
        if not fits:
            most = min(MAX_MEASURED, MAX_MEASURED_BYTES // (self.channels * self.size**2))
            files = files[:: -(-len(files) // most)]

        def make() -> dict[str, Tensor]:
            pixels = self._read(files)
            mean, sd = channel_mean_and_sd(pixels)
            inputs = {"inputs": standardised(pixels, mean, sd)} if fits else {}
            return {"mean": mean, "sd": sd, **inputs}

        return decoded(self._key(files, training=True, fits=fits), make)

    def _read(self, files: Sequence[Path]) -> Tensor:
        return read_images(files, channels=self.channels, size=self.size)

    def _fits(self, split: SplitName) -> bool:
        """Whether the split is held in memory."""
        num_values = len(self._files[split]) * self.channels * self.size**2
        return 4 * num_values <= MAX_HELD_BYTES

    def _key(self, files: Sequence[Path], **options: object) -> str:
        # Pillow's scaling may change from one version to the next.
        return files_key(
            files,
            task="image_folder",
            pillow=PIL.__version__,
            size=self.size,
            channels=self.channels,
            **options,
        )


class ImageFolderMLP(ImageFolder):
    """One hidden layer over all pixels. Arguments as of ``ImageFolder``."""

    space = {
        "lr": Float(1e-4, 1.0, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
        "hidden": Int(32, 256, log=True),
    }

    def model(self, params: Params) -> nn.Module:
        """A fresh network with ``params["hidden"]`` hidden units."""
        hidden = int(params["hidden"])
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(self.channels * self.size**2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, len(self.classes)),
        )


class FetchedImages(Dataset[tuple[Tensor, int]]):
    """Images decoded each time they are asked for: a split too large to hold.

    ``targets`` lists the class numbers, int64 (N,), so that no image need be decoded to
    draw a stratified subset.
    """

    def __init__(
        self,
        files: Sequence[Path],
        targets: Tensor,
        mean: Tensor,
        sd: Tensor,
        *,
        channels: int,
        size: int,
    ) -> None:
        self.targets = targets
        self._files = files
        self._mean = mean
        self._sd = sd
        self._channels = channels
        self._size = size

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        pixels = read_image(self._files[row], channels=self._channels, size=self._size)
        inputs = standardised(torch.from_numpy(pixels.copy()), self._mean, self._sd)
        return inputs, int(self.targets[row])


def _split_folders(folder: Path) -> dict[SplitName, Path]:
    """The folder that holds the classes' folders, of each split there is.

    A class may be called "train" too: then its folder holds images and no folders.
    """
    if not _has_folders(folder / "train"):
        return {"train": folder}
    found: dict[SplitName, Path] = {}
    for split, names in SPLIT_FOLDERS.items():
        there = [name for name in names if (folder / name).is_dir()]
        if len(there) > 1:
            raise task_error(
                f"{folder} has {' and '.join(there)}, and each would be the {split} split",
                cure="leave one of them",
            )
        if there:
            found[split] = folder / there[0]
    return found


def _has_folders(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        return any(entry.is_dir() and not entry.name.startswith(".") for entry in entries)
