"""Findings: what a rule saw, with its evidence, its causes and the next action."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

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


class Adjustment(Value):
    """One change that an action makes, by name: to a value, or by a factor.

    Attributes:
        name: A hyperparameter's, or one of the wider names of ``recipes.prescription``.
        value: What it becomes; else ``factor``.
        factor: What it is multiplied by.
        least: The product is at least this (a factor alone cannot leave 0).
        most: And at most this.
    """

    name: str
    value: Scalar = None
    factor: float | None = Field(default=None, gt=0)
    least: float | None = None
    most: float | None = None

    @model_validator(mode="after")
    def _check(self) -> Adjustment:
        if (self.value is None) == (self.factor is None):
            raise ValueError(f"{self.name}: give exactly one of value and factor")
        return self


class Finding(Value):
    """What a rule saw.

    Attributes:
        code: Stable and documented; one page of docs each.
        sentence: Number, comparison and consequence, in words.
        evidence: The numbers behind the sentence, the threshold among them.
        causes: Ranked, likeliest first.
        action: The one thing to do next.
        changes: The same for programs, where it is a matter of hyperparameters.
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
    changes: tuple[Adjustment, ...] = ()
    source: str
    trial: int | None = None
