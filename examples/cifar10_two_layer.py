"""CIFAR-10 with the two-layer network of CS231n's first assignment.

    sevenstep run examples/cifar10_two_layer.py --arg path=/data/cifar10 --budget 15m

The images are read as files, in a folder a class: train/<class>/*.jpg, 50,000 of them, and
test/<class>/*.jpg, 10,000. Without --arg path=... the folder is $SEVENSTEP_CIFAR10_DIR.
The course reports about 0.53 on validation for this network's best settings.
"""

import os

import torch
from torch import nn

from recipes import Categorical, Float, Task
from worker.data.decoded import decoded, files_key
from worker.data.images import channel_mean_and_sd, class_folders, read_images, standardised
from worker.data.paths import existing_path
from worker.data.stratified import draw_stratified

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
VAL_SHARE = 0.1
"""Of the training images: 5,000 of 50,000."""
SPLIT_SEED = 231
"""Draws the validation images. A constant: every study has the same ones."""


class TwoLayerNet(Task):
    """3072 inputs, 50 hidden ReLUs, 10 classes."""

    kind = "classification"
    num_classes = 10
    space = {
        "lr": Float(1e-4, 1e-1, log=True),
        "weight_decay": Float(1e-5, 1e-1, log=True, zero=True),
        # One choice: fixed. An epoch takes three quarters of what it takes with 64.
        "batch_size": Categorical([256]),
    }

    def __init__(self, path: str | None = None, hidden: int = 50):
        self.folder = find_folder(path)
        self.hidden = hidden
        self.splits = None

    def data(self, split):
        """Inputs, float32 (N, 3, 32, 32), and labels, int64 (N,)."""
        if self.splits is None:
            self.splits = load_splits(self.folder)
        return self.splits[f"{split}_inputs"], self.splits[f"{split}_labels"]

    def model(self, params):
        """A fresh network."""
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(3 * 32 * 32, self.hidden),
            nn.ReLU(),
            nn.Linear(self.hidden, 10),
        )


def find_folder(path):
    """The folder with train/ and test/, or an error that says what is missing."""
    given = path or os.environ.get("SEVENSTEP_CIFAR10_DIR")
    if not given:
        raise ValueError("say where CIFAR-10 is: --arg path=/folder, or SEVENSTEP_CIFAR10_DIR")
    folder = existing_path("path", given, is_folder=True)
    for name in ("train", "test"):
        missing = [each for each in CLASSES if not (folder / name / each).is_dir()]
        if missing:
            raise ValueError(
                f"path: {folder / name} has no folder {missing[0]}; give the folder that holds"
                f" train/<class>/*.jpg and test/<class>/*.jpg, of the classes {', '.join(CLASSES)}"
            )
    return folder


def load_splits(folder):
    """Inputs and labels of the three splits, decoded once and shared with other processes."""
    found = {name: class_folders(folder / name) for name in ("train", "test")}
    for name, classes in found.items():
        if tuple(classes) != CLASSES:
            raise ValueError(f"path: the classes in {folder / name} are {', '.join(classes)}")
    files = {
        name: [file for files in classes.values() for file in files]
        for name, classes in found.items()
    }
    labels = {
        name: torch.tensor([CLASSES.index(file.parent.name) for file in files[name]])
        for name in files
    }

    def make():
        pixels = {name: read_images(files[name], channels=3, size=32) for name in files}
        num = len(files["train"])
        val = draw_stratified(labels["train"], num, int(VAL_SHARE * num), SPLIT_SEED)
        kept = torch.ones(num, dtype=torch.bool)
        kept[val] = False
        train = pixels["train"][kept]
        # One mean and sd a colour, of the training images alone.
        mean, sd = channel_mean_and_sd(train)
        return {
            "train_inputs": standardised(train, mean, sd),
            "train_labels": labels["train"][kept],
            "val_inputs": standardised(pixels["train"][val], mean, sd),
            "val_labels": labels["train"][val],
            "test_inputs": standardised(pixels["test"], mean, sd),
            "test_labels": labels["test"],
        }

    key = files_key(
        [*files["train"], *files["test"]], code=2, val_share=VAL_SHARE, seed=SPLIT_SEED
    )
    return decoded(key, make)
