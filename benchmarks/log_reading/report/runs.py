"""The truth of a course's curves, as a log printed them."""

from __future__ import annotations

import numpy as np

from benchmarks.log_reading.course import Course
from benchmarks.log_reading.truth import RunTruth

LOSSES = ("train loss", "val loss")
USUAL = (*LOSSES, "val accuracy")
ALL = ("train loss", "train accuracy", "val loss", "val accuracy")


def run_of(c: Course, digits: int, first: int, *keys: str) -> RunTruth:
    """The truth of these curves, as printed."""
    given = {
        "train loss": c.train_loss,
        "train accuracy": c.train_acc,
        "val loss": c.val_loss,
        "val accuracy": c.val_acc,
    }
    return RunTruth(
        {key: [round(float(v), digits) for v in given[key]] for key in keys},
        [float(first + e) for e in range(c.num_epochs)],
    )


def batches_of(c: Course, digits: int) -> list[float]:
    """Train losses by iteration, as printed."""
    return [round(float(each), digits) for each in c.batch_losses.ravel()]


def means_of(c: Course, digits: int) -> list[float]:
    """Of each epoch the mean of its printed train losses."""
    rows = np.asarray(batches_of(c, digits)).reshape(c.batch_losses.shape)
    return [float(each) for each in rows.mean(axis=1)]


def shares(values: list[float], digits: int) -> list[float]:
    """Shares as they were printed in percent."""
    return [round(100 * value, digits) / 100 for value in values]
