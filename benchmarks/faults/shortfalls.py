"""What stays below the aims: on which base tasks, what was said there, and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.faults.aims import (
    FEWEST,
    WANTED_ALARMS,
    WANTED_MILD,
    WANTED_PRECISION,
    WANTED_SEVERE,
)
from benchmarks.faults.rows import Row
from benchmarks.faults.score import (
    NOTHING,
    Share,
    all_codes,
    false_alarms,
    fault_recall,
    precision,
    twins,
)

WHY: Mapping[str, str] = json.loads(Path(__file__).with_suffix(".json").read_text())
"""Reasons by what falls short (``Shortfall.what``), written by hand once the runs were read."""

NOT_LOOKED_INTO = "not looked into"


class Shortfall(NamedTuple):
    """A code's precision or a fault's recall below its aim, or alarms of healthy twins above it.

    Attributes:
        what: The code, the fault with its severity, or ``healthy twins``.
        where: Each base task with a wrong answer: how many, and what was said.
    """

    what: str
    found: Share
    where: str

    @property
    def why(self) -> str:
        """The reason that was found, if it was looked for."""
        return WHY.get(self.what, NOT_LOOKED_INTO)


def shortfalls(rows: Sequence[Row]) -> list[Shortfall]:
    """What is below its aim: codes said of ten runs or more, then faults, then healthy twins."""
    below = []
    for code in all_codes(rows):
        found = precision(rows, code)
        if found.n >= FEWEST and found.value < WANTED_PRECISION:
            wrong = [
                row
                for row in rows
                if any(each.code == code for each in row.answers) and not row.is_true(code)
            ]
            where = _by_task(wrong, [row.fault or "healthy" for row in wrong])
            below.append(Shortfall(f"`{code}`", found, where))
    for fault in dict.fromkeys(row.fault for row in rows if row.fault):
        for severity, wanted in (("severe", WANTED_SEVERE), ("mild", WANTED_MILD)):
            found = fault_recall(rows, fault, severity)
            if found.n and found.value < wanted:
                missed = [
                    row
                    for row in rows
                    if (row.fault, row.severity) == (fault, severity) and not row.is_found
                ]
                first = [row.answers[0].code if row.answers else NOTHING for row in missed]
                below.append(Shortfall(f"{fault}, {severity}", found, _by_task(missed, first)))
    alarms = false_alarms(rows)
    if alarms.n and alarms.value > WANTED_ALARMS:
        alarmed = [row for row in twins(rows) if row.alarms]
        first = [row.alarms[0].code for row in alarmed]
        below.append(Shortfall("healthy twins", alarms, _by_task(alarmed, first)))
    return below


def _by_task(rows: Iterable[Row], said: Iterable[str]) -> str:
    counts: dict[str, Counter[str]] = {}
    for row, each in zip(rows, said, strict=True):
        counts.setdefault(row.task, Counter())[each] += 1
    return "; ".join(
        f"{task}: {', '.join(f'{each} {n}' for each, n in own.most_common())}"
        for task, own in counts.items()
    )
