"""Where a run's random numbers come from: its seeds and the epoch, nothing else.

A generator's state is never saved: at the start of an epoch everything is seeded
anew, so a run resumed there draws what the uninterrupted run drew.
"""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import Tensor

from recipes.seeds import derive_seed


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch, devices in use included.

    Not by ``torch.manual_seed``: while CUDA is not in use, that keeps one more call with
    its stack for later every time, and a worker seeds at every epoch.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


def initial_seed(seed: int) -> int:
    """The seed under which a member's initial weights are drawn."""
    return derive_seed(seed, "initial")


def mask_seed(seed: int, *, epoch: int) -> int:
    """The seed of an epoch's global generators: dropout's masks are drawn from them."""
    return derive_seed(seed, "masks", epoch)


def augmentation_seed(seed: int, *, epoch: int) -> int:
    """The seed of the generator an epoch's augmentation gets: not the masks' stream again."""
    return derive_seed(seed, "augmentation", epoch)


def batch_order(data_seed: int, *, epoch: int, num_samples: int) -> Tensor:
    """A permutation of 0..num_samples-1, int64 on the CPU: the order of one epoch.

    Drawn on the CPU so that every device sees the same batches.
    """
    generator = torch.Generator().manual_seed(derive_seed(data_seed, "order", epoch))
    return torch.randperm(num_samples, generator=generator)
