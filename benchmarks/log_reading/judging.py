"""Whether a file was read rightly, wrongly, or not at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.log_reading.truth import RunTruth, Truth
from recipes.training_logs.reading import LogReading
from recipes.training_logs.run import LoggedRun

Outcome = Literal["right", "in part", "refused", "wrong"]

NEEDED = ("loss", "accuracy")
"""Metrics without which a file counts as read in part only: the rules read these."""


@dataclass(frozen=True)
class Verdict:
    """What became of one file.

    Attributes:
        outcome: ``wrong`` where a single number, split, place, sample count or schedule is;
            ``in part`` where all that was read is right and a loss or an accuracy is missing.
        why: What is wrong or missing, or the refusal's words.
    """

    outcome: Outcome
    why: str = ""


def refused(why: str) -> Verdict:
    """A file that was not read."""
    return Verdict("refused", why)


def judge(reading: LogReading, truth: Truth) -> Verdict:
    """Compare what was read with what is true."""
    refusals = "; ".join(why for _, why in reading.refused)
    if not reading.runs:
        return refused(refusals)
    if truth.unreadable:
        return Verdict("wrong", f"read, though {truth.unreadable}")
    if not reading.refused and len(reading.runs) != len(truth.runs):
        return Verdict("wrong", f"{len(reading.runs)} runs, in truth {len(truth.runs)}")
    if reading.refused:
        return refused(refusals)
    missing: list[str] = []
    for run, true in zip(reading.runs, truth.runs, strict=True):
        wrong = _wrong(run, true, truth)
        if wrong:
            return Verdict("wrong", wrong)
        missing += [
            key
            for key in true.curves
            if key.split()[1] in NEEDED and _key(key) not in run.curves and key not in missing
        ]
        if true.batch_losses and not len(run.losses) and "train loss by batch" not in missing:
            missing.append("train loss by batch")
    return Verdict("in part", f"without {', '.join(missing)}") if missing else Verdict("right")


def _wrong(run: LoggedRun, true: RunTruth, truth: Truth) -> str:
    """What is wrong about one run; empty for nothing."""
    told = run.inferred
    if told.place not in ("row", truth.place) and len(run.labels) and true.labels is not None:
        return f"counted by {told.place}, in truth by {truth.place}"
    for (metric, split), values in run.curves.items():
        key = f"{split} {metric}"
        if key not in true.curves:
            return f"{key} is read, and there is none"
        wrong = _values(values.tolist(), run.labels.tolist(), key, true, truth, told.place)
        if wrong:
            return wrong
    if len(run.losses) and not _same(run.losses.tolist(), true.batch_losses, truth.tolerance):
        return f"{len(run.losses)} train losses by batch differ from the true ones"
    if told.num_val is not None and (
        truth.num_val is None
        or (told.num_val != truth.num_val and told.num_val_from != "steps")
        or truth.num_val % told.num_val
    ):
        return f"{told.num_val} validation samples, in truth {truth.num_val}"
    if told.schedule not in ("unknown", truth.schedule):
        return f"schedule {told.schedule}, in truth {truth.schedule or 'not told'}"
    if math.isfinite(told.lr) and not _near(told.lr, truth.lr or math.nan, truth.tolerance):
        return f"learning rate {told.lr:g}, in truth {truth.lr}"
    return ""


def _values(
    values: Sequence[float],
    labels: Sequence[float],
    key: str,
    true: RunTruth,
    truth: Truth,
    place: str,
) -> str:
    expected = list(true.curves[key])
    if true.labels is not None and place != "row":
        by_label = dict(zip(true.labels, expected, strict=True))
        strange = [label for label in labels if label not in by_label]
        if strange:
            return f"{key} at {truth.place} {strange[0]:g}, where there is none"
        expected = [by_label[label] for label in labels]
    if len(values) != len(expected):
        return f"{key} has {len(values)} values, in truth {len(expected)}"
    for at, (value, right) in enumerate(zip(values, expected, strict=True)):
        if not _near(value, right, truth.tolerance):
            return f"{key} number {at + 1} is {value:.7g}, in truth {right:.7g}"
    return ""


def _same(values: Sequence[float], expected: Sequence[float], tolerance: float) -> bool:
    return len(values) == len(expected) and all(
        _near(a, b, tolerance) for a, b in zip(values, expected, strict=True)
    )


def _near(value: float, right: float, tolerance: float) -> bool:
    if not math.isfinite(right):
        return value == right or (math.isnan(value) and math.isnan(right))
    return math.isclose(value, right, rel_tol=tolerance, abs_tol=tolerance)


def _key(name: str) -> tuple[str, str]:
    split, metric = name.split()
    return metric, split
