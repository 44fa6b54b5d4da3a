"""Rows: what was said of a cell, beside what should have been.

A row is right about a code when the fault that was put in is answered by it, or when the
code follows from the fault (``also``): that is said of the fault before any run. Only
warnings and errors count as answers, but for faults that say that a note is enough.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Said:
    """One finding of a row.

    Attributes:
        severity: ``info``, ``warning`` or ``error``.
        causes: Cause codes, likeliest first.
    """

    code: str
    severity: str
    confidence: float
    causes: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether it is a warning or an error."""
        return self.severity != "info"


@dataclass(frozen=True)
class Row:
    """One cell's diagnosis, with what it should have been.

    Attributes:
        fault: "" for a healthy twin.
        codes: Right answers; empty for a twin.
        also: True beside them.
        right_causes: Cause codes that name the fault.
        is_info: Whether a note answers it.
        said: What the product said, gravest first.
        tools: What other tools said, each verdict as our codes for it.
        value: The run's metric on validation at its end; NaN without one.
    """

    task: str
    fault: str
    severity: str
    seed: int
    codes: frozenset[str]
    also: frozenset[str]
    right_causes: frozenset[str]
    is_info: bool
    said: tuple[Said, ...]
    tools: Mapping[str, Sequence[frozenset[str]]] = field(default_factory=dict)
    value: float = math.nan
    stopped_at: int | None = None
    problem: str = ""

    @property
    def answers(self) -> tuple[Said, ...]:
        """Warnings and errors, in order."""
        return tuple(each for each in self.said if each.counts)

    @property
    def alarms(self) -> tuple[Said, ...]:
        """Warnings and errors that are not true of the run."""
        return tuple(each for each in self.answers if not self.is_true(each.code))

    @property
    def is_found(self) -> bool:
        """Whether one of the right codes was said."""
        counting = self.said if self.is_info else self.answers
        return any(each.code in self.codes for each in counting)

    def names_cause(self, places: int) -> bool:
        """Whether the fault is among the first ``places`` hypotheses.

        The hypotheses are the codes of the answers in order, and, as other readings of the
        leading one, its causes in order.
        """
        counting = self.said if self.is_info and not self.answers else self.answers
        codes = {each.code for each in counting[:places]}
        causes = set(counting[0].causes[:places]) if counting else set()
        return bool(codes & self.codes or causes & (self.codes | self.right_causes))

    def is_true(self, code: str) -> bool:
        """Whether a code holds for the run."""
        return code in self.codes or code in self.also


def as_json(row: Row) -> dict[str, Any]:
    """As a line of the results file holds it."""
    return {
        "task": row.task,
        "fault": row.fault,
        "severity": row.severity,
        "seed": row.seed,
        "codes": sorted(row.codes),
        "also": sorted(row.also),
        "right_causes": sorted(row.right_causes),
        "is_info": row.is_info,
        "said": [[s.code, s.severity, s.confidence, list(s.causes)] for s in row.said],
        "tools": {name: [sorted(each) for each in found] for name, found in row.tools.items()},
        "value": None if math.isnan(row.value) else row.value,
        "stopped_at": row.stopped_at,
        "problem": row.problem,
    }


def from_json(stored: Mapping[str, Any]) -> Row:
    """Back from ``as_json``."""
    return Row(
        task=stored["task"],
        fault=stored["fault"],
        severity=stored["severity"],
        seed=stored["seed"],
        codes=frozenset(stored["codes"]),
        also=frozenset(stored["also"]),
        right_causes=frozenset(stored["right_causes"]),
        is_info=stored["is_info"],
        said=tuple(Said(code, sev, conf, tuple(why)) for code, sev, conf, why in stored["said"]),
        tools={name: [frozenset(e) for e in found] for name, found in stored["tools"].items()},
        value=math.nan if stored["value"] is None else stored["value"],
        stopped_at=stored["stopped_at"],
        problem=stored["problem"],
    )
