"""Samples that stand in the data twice."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict

import torch
from torch import Tensor

from recipes.description import OverlapDescription

DIGEST_BYTES = 16
"""Two different samples of a billion share a digest with odds under 1e-20."""


def describe_overlap(
    train: tuple[Tensor, Tensor], val: tuple[Tensor, Tensor]
) -> OverlapDescription:
    """Compare samples bit by bit, by their hashes.

    Args:
        train: Inputs (N, ...) and targets (N, ...) of the training split.
        val: The same of the validation split.
    """
    train_inputs, train_targets = map(_digests, train)
    seen: defaultdict[bytes, set[bytes]] = defaultdict(set)
    for sample, target in zip(train_inputs, train_targets, strict=True):
        seen[sample].add(target)
    counts = Counter(train_inputs)
    return OverlapDescription(
        train_val=sum(sample in seen for sample in _digests(val[0])),
        conflicting=sum(len(seen[sample]) > 1 for sample in train_inputs),
        within_train=sum(count for count in counts.values() if count > 1),
    )


def _digests(samples: Tensor) -> list[bytes]:
    """A digest a row. Of the bytes, so that equal means identical, NaN included."""
    flat = samples.reshape(len(samples), -1).cpu()
    # A copy, because contiguous() lets a column keep the stride of 0 that NumPy's [:, None]
    # gives it, and bytes cannot be seen through that.
    rows = flat.clone(memory_format=torch.contiguous_format).view(torch.uint8).numpy()
    return [hashlib.blake2b(row.data, digest_size=DIGEST_BYTES).digest() for row in rows]
