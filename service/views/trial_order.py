"""The order of trials by a hyperparameter, which the database holds as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from service.errors import InvalidInput
from service.repositories.trials import Light


def by_parameter(trials: Sequence[Light], sort: str) -> list[int]:
    """The trials' numbers in the order of a hyperparameter.

    Args:
        trials: By rising number.
        sort: Its name; with a minus before it, downwards. Of equals the first made comes first;
            those without a value come last.

    Raises:
        InvalidInput: No trial has a hyperparameter of that name.
    """
    falls = sort.startswith("-")
    name = sort.removeprefix("-")
    keys = {trial.number: _value(trial, name) for trial in trials}
    if trials and all(key is None for key in keys.values()):
        known = sorted({each for trial in trials for each in json.loads(trial.params)})
        raise InvalidInput(
            "sort", sort, f"sort by number, value or one of {', '.join(known)}, - for downwards"
        )
    with_value = [number for number, key in keys.items() if key is not None]
    without = [number for number, key in keys.items() if key is None]
    return sorted(with_value, key=lambda number: _key(keys[number]), reverse=falls) + without


def _value(trial: Light, name: str) -> Any:
    value = json.loads(trial.params).get(name)
    return None if isinstance(value, float) and math.isnan(value) else value


def _key(value: Any) -> tuple[bool, float, str]:
    """Numbers before words, so that a hyperparameter may have both."""
    if isinstance(value, str):
        return (True, 0.0, value)
    return (False, float(value), "")
