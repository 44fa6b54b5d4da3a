"""Which base tasks are for calibration and which for the report: fixed in ``halves.json``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from benchmarks.faults.tasks import calibration, newcomers, report
from benchmarks.faults.tasks.base import BenchTask

Half = Literal["calibration", "report"]
HALVES: tuple[Half, ...] = get_args(Half)
FILE = Path(__file__).with_name("halves.json")


@cache
def task_classes() -> dict[str, type[BenchTask]]:
    """Every base task by name."""
    return {each.name: each for each in (*calibration.TASKS, *report.TASKS, *newcomers.TASKS)}


@cache
def names(half: Half) -> tuple[str, ...]:
    """The base tasks of a half, in the file's order.

    Raises:
        ValueError: The file names a task that is not there, or one twice.
    """
    split: dict[str, list[str]] = json.loads(FILE.read_text())
    named = [name for each in HALVES for name in split[each]]
    if sorted(named) != sorted(task_classes()):
        raise ValueError(f"{FILE.name} must name each of {', '.join(task_classes())} once")
    return tuple(split[half])


def half_of(task: str) -> Half:
    """The half a base task belongs to."""
    return next(half for half in HALVES if task in names(half))
