"""Errors a caller of the recipes can meet.

RecipeError
├── InvalidSetting      a value given by a person does not fit; names field, value and cure
└── MissingEvidence     a step was asked to judge before its runs had ended
"""

from __future__ import annotations


class RecipeError(Exception):
    """The root: every error of this package is one."""


class InvalidSetting(RecipeError, ValueError):
    """A value given by a person does not fit. The message names field, value and cure."""

    def __init__(self, field: str, value: object, cure: str) -> None:
        super().__init__(f"{field}: {value!r} does not fit; {cure}")
        self.field = field
        self.value = value
        self.cure = cure


class MissingEvidence(RecipeError):
    """A step was asked to judge before its runs had ended."""
