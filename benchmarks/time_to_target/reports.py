"""What a tool knew, and when: a line for each validation accuracy that was reported."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Report(NamedTuple):
    """One validation accuracy.

    Attributes:
        at: By the machine's monotonic clock, the same one in all processes.
        accuracy: A share.
        params: The setting.
        epoch: After how many.
    """

    at: float
    accuracy: float
    params: dict[str, Any]
    epoch: int


class ReportFile:
    """Reports of several processes in one file.

    Args:
        path: Made when it is not there.
    """

    def __init__(self, path: Path | str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def add(self, accuracy: float, params: dict[str, Any], epoch: int) -> None:
        """One report, known from now on: a write that no other process's can tear."""
        line = json.dumps(Report(time.monotonic(), accuracy, params, epoch))
        os.write(self._file, line.encode() + b"\n")


def read(path: Path) -> list[Report]:
    """All reports of a file, in the order they came."""
    if not path.exists():
        return []
    whole = path.read_text().rpartition("\n")[0].splitlines()  # a kill may cut the last line
    return sorted((Report(*json.loads(line)) for line in whole), key=lambda each: each.at)


def best_so_far(reports: Iterable[Report], *, began: float, ends: float) -> list[list[float]]:
    """Seconds since the beginning and the best accuracy known from then on, rises alone."""
    rises: list[list[float]] = []
    for report in reports:
        if report.at <= ends and (not rises or report.accuracy > rises[-1][1]):
            rises.append([round(report.at - began, 3), report.accuracy])
    return rises


def seconds_to(target: float, rises: Sequence[Sequence[float]]) -> float | None:
    """When a target was first known to be met; None where it was not."""
    return next((seconds for seconds, accuracy in rises if accuracy >= target), None)
