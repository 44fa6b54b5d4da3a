"""Where samples come from: data sets and photographs that ship inside scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_sample_images,
    load_wine,
)
from torch import Tensor

Pair = tuple[Tensor, Tensor]

PATCH = 8
"""Pixels of a patch's side."""
STRIDE = 10
"""Pixels between patches: they do not overlap."""


@cache
def digits() -> Pair:
    """1,797 images (N, 1, 8, 8) from 0 to 16, labels int64 (N,)."""
    images, labels = load_digits(return_X_y=True)
    inputs = torch.tensor(images.reshape(-1, 1, 8, 8), dtype=torch.float32)
    return inputs, torch.tensor(labels, dtype=torch.int64)


@cache
def digit_attributes() -> Pair:
    """The same images; (N, 5): is it even, prime, above four, with a loop, with a straight
    stroke at its foot?"""
    inputs, labels = digits()
    members = ((0, 2, 4, 6, 8), (2, 3, 5, 7), (5, 6, 7, 8, 9), (0, 6, 8, 9), (1, 2, 4, 7))
    rows = [torch.isin(labels, torch.tensor(each)) for each in members]
    return inputs, torch.stack(rows, dim=1).float()


@cache
def cancer() -> Pair:
    """569 tumours, 30 features; 1.0 for a benign one, (N, 1)."""
    table, labels = load_breast_cancer(return_X_y=True)
    return _table(table), torch.tensor(labels, dtype=torch.float32)[:, None]


@cache
def wine() -> Pair:
    """178 wines, 13 features; which of three growers, int64 (N,)."""
    table, labels = load_wine(return_X_y=True)
    return _table(table), torch.tensor(labels, dtype=torch.int64)


@cache
def diabetes() -> Pair:
    """442 patients, 10 features; the disease's progress after a year, standardised, (N, 1)."""
    table, progress = load_diabetes(return_X_y=True)
    target = (progress - progress.mean()) / progress.std()
    return _table(table), torch.tensor(target, dtype=torch.float32)[:, None]


@cache
def patches() -> Pair:
    """Patches (N, 3, 8, 8) of two photographs, and which photograph (N,)."""
    images = [np.asarray(image, dtype=np.float32) for image in load_sample_images().images]
    found, sources = [], []
    for source, image in enumerate(images):
        height, width = image.shape[:2]
        for top in range(0, height - PATCH, STRIDE):
            for left in range(0, width - PATCH, STRIDE):
                found.append(image[top : top + PATCH, left : left + PATCH].transpose(2, 0, 1))
                sources.append(source)
    return (
        torch.from_numpy(np.stack(found)),
        torch.tensor(sources, dtype=torch.int64),
    )


@cache
def patch_sources() -> Pair:
    """Every third patch; which photograph it is of, int64 (N,)."""
    inputs, sources = patches()
    return inputs[::3], sources[::3]


@cache
def patch_attributes() -> Pair:
    """Every third patch; (N, 4): is it brighter than most, redder than green, rougher than
    most, brighter above than below?"""
    inputs, _ = patches()
    inputs = inputs[1::3]
    brightness = inputs.mean((1, 2, 3))
    roughness = inputs.std((2, 3)).mean(1)
    redness = (inputs[:, 0] - inputs[:, 1]).mean((1, 2))
    tilt = inputs[:, :, : PATCH // 2].mean((1, 2, 3)) - inputs[:, :, PATCH // 2 :].mean((1, 2, 3))
    values = (brightness, redness, roughness, tilt)
    return inputs, _above_median(values)


@cache
def digit_balance() -> Pair:
    """The digits' images; (N, 3): is there more ink than in most, is more of it in the upper
    half than in most, is more of it on the left than in most?"""
    images, _ = digits()
    upper = images[:, :, :4].sum((1, 2, 3)) - images[:, :, 4:].sum((1, 2, 3))
    left = images[..., :4].sum((1, 2, 3)) - images[..., 4:].sum((1, 2, 3))
    values = (images.sum((1, 2, 3)), upper, left)
    return images, _above_median(values)


@cache
def digit_feet() -> Pair:
    """The upper six rows of a digit, (N, 6, 8), and how much ink is in the two below them,
    standardised, (N, 1)."""
    images, _ = digits()
    ink = images[:, 0, 6:].mean((1, 2))
    return images[:, 0, :6], _standardised(ink)


@cache
def scanlines() -> Pair:
    """Runs of 24 grey pixels from rows of the photographs, (N, 24, 1), and the next pixel's
    brightness, standardised, (N, 1)."""
    length, found, following = 24, [], []
    for image in load_sample_images().images:
        grey = np.asarray(image, dtype=np.float32).mean(2)
        for row in grey[::9]:
            for left in range(0, len(row) - length - 1, 3 * length):
                found.append(row[left : left + length])
                following.append(row[left + length])
    inputs = torch.from_numpy(np.stack(found))[:, :, None]
    return inputs, _standardised(torch.tensor(np.asarray(following)))


def _above_median(values: Sequence[Tensor]) -> Tensor:
    """Of each attribute (N,), whether a sample has more of it than most: floats (N, C)."""
    return torch.stack([each > each.median() for each in values], dim=1).float()


def _standardised(target: Tensor) -> Tensor:
    """(N,) to mean 0 and sd 1, (N, 1)."""
    return ((target - target.mean()) / target.std())[:, None]


def _table(table: np.ndarray) -> Tensor:
    return torch.tensor(table, dtype=torch.float32)
