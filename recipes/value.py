"""The base of every value that crosses a boundary, and the wire form of numbers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

NON_FINITE_WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class Value(BaseModel):
    """An immutable value: compared by content, refuses unknown fields.

    Non-finite floats are data here (a diverged run is a result). On the wire they
    are the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, because JSON has
    no numbers for them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


def _from_wire(value: Any) -> Any:
    return NON_FINITE_WORDS.get(value, value) if isinstance(value, str) else value


Number = Annotated[float, BeforeValidator(_from_wire)]
"""A float that may be non-finite; the words above stand for NaN and the infinities."""

Scalar = bool | int | float | str | None
"""One JSON scalar, as a hyperparameter's value or a piece of evidence has it."""
