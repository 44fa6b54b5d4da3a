"""Search spaces: what may vary, and over which range."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, RootModel, model_validator

from recipes.value import LARGEST_NUMBER, Value

End = Annotated[int, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
"""Of a range of whole numbers."""

ParameterValue = bool | int | float | str
Params = Mapping[str, ParameterValue]
"""A setting: one value for every name of the space."""


class Float(Value):
    """A float from ``low`` to ``high``, both included.

    Called as ``Float(1e-6, 1.0, log=True)``. A range is soft: the search may widen it
    when the best value lies at its end, unless ``hard=True``. ``zero=True`` adds 0 to
    the values of a logarithmic range (weight decay's "off").
    """

    kind: Literal["float"] = "float"
    low: FiniteFloat
    high: FiniteFloat
    log: bool = False
    zero: bool = False
    hard: bool = False
    default: FiniteFloat | None = None

    def __init__(self, low: float = ..., high: float = ..., /, **fields: Any) -> None:  # type: ignore[assignment]
        super().__init__(**_with_bounds(low, high, fields))

    @model_validator(mode="after")
    def _check(self) -> Float:
        _check_bounds(self.low, self.high, self.log)
        if self.zero and not self.log:
            raise ValueError("zero=True adds 0 to a log range; a linear range holds 0 by itself")
        _check_default(self, self.default)
        return self

    def center(self) -> float:
        """The default, else the middle of the range on its own scale."""
        if self.default is not None:
            return self.default
        return math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2

    def extremes(self) -> tuple[ParameterValue, ...]:
        """Both ends of the range."""
        return (self.low, self.high)

    def holds(self, value: ParameterValue) -> bool:
        """Whether ``value`` is one of this range's values."""
        if isinstance(value, (bool, str)):
            return False
        return self.low <= value <= self.high or (self.zero and value == 0)


class Int(Value):
    """A whole number from ``low`` to ``high``, both included: ``Int(32, 256, log=True)``."""

    kind: Literal["int"] = "int"
    low: End
    high: End
    log: bool = False
    hard: bool = False
    default: int | None = None

    def __init__(self, low: int = ..., high: int = ..., /, **fields: Any) -> None:  # type: ignore[assignment]
        super().__init__(**_with_bounds(low, high, fields))

    @model_validator(mode="after")
    def _check(self) -> Int:
        _check_bounds(self.low, self.high, self.log)
        _check_default(self, self.default)
        return self

    def center(self) -> int:
        """The default, else the middle of the range on its own scale."""
        if self.default is not None:
            return self.default
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        return round(middle)

    def extremes(self) -> tuple[ParameterValue, ...]:
        """Both ends of the range."""
        return (self.low, self.high)

    def holds(self, value: ParameterValue) -> bool:
        """Whether ``value`` is one of this range's values."""
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
        )


class Categorical(Value):
    """One of a list of choices: ``Categorical(["sgd", "adamw"])``."""

    kind: Literal["categorical"] = "categorical"
    choices: tuple[ParameterValue, ...] = Field(min_length=1)
    default: ParameterValue | None = None

    def __init__(self, choices: Any = ..., /, **fields: Any) -> None:
        if choices is not ...:
            fields["choices"] = choices
        super().__init__(**fields)

    @model_validator(mode="after")
    def _check(self) -> Categorical:
        if len(set(map(repr, self.choices))) < len(self.choices):
            raise ValueError(f"choices {list(self.choices)} hold a value twice")
        _check_default(self, self.default)
        return self

    def center(self) -> ParameterValue:
        """The default, else the first choice."""
        return self.choices[0] if self.default is None else self.default

    def extremes(self) -> tuple[ParameterValue, ...]:
        """Every choice: none lies between others."""
        return self.choices

    def holds(self, value: ParameterValue) -> bool:
        """Whether ``value`` is one of the choices."""
        return any(value == choice and type(value) is type(choice) for choice in self.choices)


Distribution = Annotated[Float | Int | Categorical, Field(discriminator="kind")]


class SearchSpace(RootModel[dict[str, Distribution]]):
    """Hyperparameter names and the values each may take. Order is the task's own."""

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]
        return iter(self.root)

    def __getitem__(self, name: str) -> Float | Int | Categorical:
        return self.root[name]

    def __contains__(self, name: object) -> bool:
        return name in self.root

    def __len__(self) -> int:
        return len(self.root)

    def center(self) -> dict[str, ParameterValue]:
        """The setting in the middle of the space: where steps 1 to 3 stand."""
        return {name: distribution.center() for name, distribution in self.root.items()}

    def num_combinations(self) -> int:
        """Of the choices of its categoricals; 1 without any."""
        categoricals = (each for each in self.root.values() if isinstance(each, Categorical))
        return math.prod(len(each.choices) for each in categoricals)

    def replace(self, **distributions: Float | Int | Categorical) -> SearchSpace:
        """The same space with some names' values changed or added."""
        return SearchSpace({**self.root, **distributions})


def default_space() -> SearchSpace:
    """What a task without a space gets: learning rate and weight decay."""
    return SearchSpace(
        {
            "lr": Float(1e-6, 1.0, log=True),
            "weight_decay": Float(1e-6, 1e-1, log=True, zero=True),
        }
    )


def _with_bounds(low: Any, high: Any, fields: dict[str, Any]) -> dict[str, Any]:
    positional = {"low": low, "high": high}
    return {**{name: value for name, value in positional.items() if value is not ...}, **fields}


def _check_bounds(low: float, high: float, log: bool) -> None:
    if low >= high:
        raise ValueError(f"low ({low:g}) must be below high ({high:g})")
    if log and low <= 0:
        raise ValueError(
            f"a log range cannot start at {low:g}; give a positive low"
            " (for a Float that may also be 0, zero=True adds it)"
        )


def _check_default(distribution: Float | Int | Categorical, default: Any) -> None:
    if default is not None and not distribution.holds(default):
        raise ValueError(f"default {default!r} is not one of its values")
