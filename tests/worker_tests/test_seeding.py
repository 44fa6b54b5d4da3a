from __future__ import annotations

import random

import numpy as np
import torch

from worker.training.seeding import batch_order, initial_seed, mask_seed, seed_everything


def drawn() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_every_generator_is_seeded() -> None:
    seed_everything(3)
    first = drawn()
    assert drawn() != first
    seed_everything(3)
    assert drawn() == first


def test_the_draws_do_not_change_between_releases() -> None:
    assert (initial_seed(1), mask_seed(1, epoch=0)) == (575299096, 287464869)
    assert batch_order(1, epoch=0, num_samples=8).tolist() == [5, 3, 2, 0, 1, 4, 6, 7]


def test_seeding_often_keeps_nothing() -> None:
    before = len(torch.cuda._queued_calls)
    for seed in range(5):
        seed_everything(seed)
    assert len(torch.cuda._queued_calls) == before
