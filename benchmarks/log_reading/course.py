"""A made-up run to write logs of: it learns, and from some epoch on it overtrains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recipes.trend import Array


@dataclass(frozen=True)
class Course:
    """The numbers of one run, rounded to ``digits`` decimals where a format prints so many.

    Attributes:
        train_loss, val_loss: float64 (E,).
        train_acc, val_acc: Shares of right answers, float64 (E,).
        val_right: Right answers among ``num_val``.
        batch_losses: Train losses of ``per_epoch`` batches an epoch, float64 (E, B).
        lr: By epoch, float64 (E,).
    """

    train_loss: Array
    val_loss: Array
    train_acc: Array
    val_right: list[int]
    batch_losses: Array
    lr: Array
    num_val: int

    @property
    def num_epochs(self) -> int:
        """Epochs, E."""
        return len(self.train_loss)

    @property
    def val_acc(self) -> Array:
        """Shares of right answers."""
        return np.asarray(self.val_right, dtype=np.float64) / self.num_val


def course(
    seed: int, *, num_epochs: int = 16, num_val: int = 2_000, per_epoch: int = 4, decay: float = 1
) -> Course:
    """A run by its seed.

    Args:
        seed: Of every draw.
        num_epochs: E.
        num_val: Validation samples.
        per_epoch: B.
        decay: Factor of the learning rate after two thirds of the epochs; 1: constant.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(1, num_epochs + 1)
    start, speed = rng.uniform(1.5, 3.0), rng.uniform(3.0, 6.0)
    turn = num_epochs * rng.uniform(0.5, 0.7)
    train = start * np.exp(-t / speed) + rng.uniform(0.02, 0.1) + rng.normal(0, 0.004, num_epochs)
    val = (
        start * np.exp(-t / (0.9 * speed))
        + rng.uniform(0.25, 0.5)
        + 0.03 * np.maximum(0, t - turn)
        + rng.normal(0, 0.004, num_epochs)
    )
    best = rng.uniform(0.6, 0.93)
    share = best * (1 - np.exp(-t / 3)) - 0.002 * np.maximum(0, t - turn)
    right = np.clip(np.round(num_val * (share + rng.normal(0, 0.003, num_epochs))), 1, num_val - 1)
    train_acc = np.clip(0.98 * (1 - np.exp(-t / 3)), 0.01, 0.999)
    batches = train[:, None] + rng.normal(0, 0.02, (num_epochs, per_epoch))
    base = float(rng.choice([0.1, 0.05, 0.01, 1e-3, 3e-4]))
    lr = np.where(t <= 2 * num_epochs / 3, base, base * decay)
    return Course(
        np.abs(train).round(5),
        val.round(5),
        train_acc.round(5),
        [int(each) for each in right],
        np.abs(batches).round(5),
        lr,
        num_val,
    )
