"""The orders in which trials can be listed."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from service.errors import InvalidInput
from service.repositories.trials import Light

NUMBER = "number"
VALUE = "value"
RUNG = "rung"
"""Those that trained longest first, and of those that came equally far by value."""


def ordered(trials: Sequence[Light], sort: str) -> list[int]:
    """The trials' numbers in an order.

    Args:
        trials: By rising number.
        sort: ``number``, ``value``, ``rung`` or the name of a hyperparameter; with a minus
            before it, downwards (for ``rung``: the highest value first in each). Of equals
            the first made comes first; those without a value come last.

    Raises:
        InvalidInput: No trial has a hyperparameter of that name.
    """
    falls = sort.startswith("-")
    name = sort.removeprefix("-")
    if name == NUMBER:
        numbers = [trial.number for trial in trials]
        return numbers[::-1] if falls else numbers
    if name == RUNG:
        trained = {trial.number: trial.iterations for trial in trials}
        by_value = ordered(trials, f"-{VALUE}" if falls else VALUE)
        return sorted(by_value, key=lambda number: -trained[number])
    keys = {trial.number: _value(trial, name) for trial in trials}
    if name != VALUE and trials and all(key is None for key in keys.values()):
        known = sorted({each for trial in trials for each in json.loads(trial.params)})
        raise InvalidInput(
            "sort", sort, f"sort by number, value or one of {', '.join(known)}, - for downwards"
        )
    with_value = [number for number, key in keys.items() if key is not None]
    without = [number for number, key in keys.items() if key is None]
    return sorted(with_value, key=lambda number: _key(keys[number]), reverse=falls) + without


def _value(trial: Light, name: str) -> Any:
    value = trial.value if name == VALUE else json.loads(trial.params).get(name)
    return None if isinstance(value, float) and math.isnan(value) else value


def _key(value: Any) -> tuple[bool, float, str]:
    """Numbers before words, so that a hyperparameter may have both."""
    if isinstance(value, str):
        return (True, 0.0, value)
    return (False, float(value), "")
