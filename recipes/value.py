"""The base of every value that crosses a boundary, and the wire form of numbers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, FiniteFloat, Strict, WithJsonSchema

NON_FINITE_WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
LARGEST_NUMBER = 2**63 - 1
"""What a whole number of torch's may be; a larger one is a slip of the finger."""


class Value(BaseModel):
    """An immutable value: compared by content, refuses unknown fields.

    Non-finite floats are data here (a diverged run is a result). On the wire they
    are the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, because JSON has
    no numbers for them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


def _from_wire(value: Any) -> Any:
    return NON_FINITE_WORDS.get(value, value) if isinstance(value, str) else value


_NUMBER_SCHEMA = WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": [*NON_FINITE_WORDS]}]})

Number = Annotated[float, BeforeValidator(_from_wire), _NUMBER_SCHEMA]
"""A float that may be non-finite; the words above stand for NaN and the infinities."""

ArrayNumber = Annotated[float, _NUMBER_SCHEMA]
"""The same for long arrays. pydantic's own float takes the words too, without a call of ours for
each; in a union with text they would stay text, so elsewhere it is :data:`Number`."""


def _no_other_type(value: Any) -> Any:
    if isinstance(value, (bool, str, bytes)):
        raise ValueError("give a number")
    return value


def _no_other_type_than_whole(value: Any) -> Any:
    if isinstance(value, (bool, str, bytes)):
        raise ValueError("give a whole number")
    return value


Whole = Annotated[int, BeforeValidator(_no_other_type_than_whole)]
"""A whole number: neither ``true`` nor a text, which pydantic would take for one.

``1.0`` is one, as JSON Schema's ``integer`` has it (draft 2020-12, core 4.2.3): JSON has one
kind of number, and some programs write every number with a point.
"""
Real = Annotated[FiniteFloat, BeforeValidator(_no_other_type)]
"""A finite float, likewise."""
Truth = Annotated[bool, Strict()]
"""``true`` or ``false``, and neither 0 nor "yes"."""

Scalar = bool | int | float | str | None
"""One JSON scalar, as a hyperparameter's value or a piece of evidence has it."""
