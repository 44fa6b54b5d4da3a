"""Findings: what a rule saw, with its evidence, its causes and the next action."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from recipes.value import Number, Scalar, Value


class Severity(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"  # in a gate: stops the study


class Cause(Value):
    """A possible cause, likeliest first in a finding's list."""

    code: str
    sentence: str
    confidence: Number = Field(ge=0, le=1)


class Finding(Value):
    """What a rule saw.

    Attributes:
        code: Stable and documented; one page of docs each.
        sentence: Number, comparison and consequence, in words.
        evidence: The numbers behind the sentence, the threshold among them.
        causes: Ranked, likeliest first.
        action: The one thing to do next.
        source: Where formula and threshold come from.
        trial: The trial it is about, or None when it is about the step.
    """

    code: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    severity: Severity
    confidence: Number = Field(ge=0, le=1)
    sentence: str
    evidence: dict[str, Number | Scalar] = Field(default_factory=dict)
    causes: tuple[Cause, ...] = ()
    action: str
    source: str
    trial: int | None = None
