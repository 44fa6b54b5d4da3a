"""What a finding's action changes, so that a machine can carry it out as it is told.

A finding says in words what to do; where that is a matter of hyperparameters it says so here
too, by name and factor or value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pydantic import Field

from recipes.finding import Adjustment, Finding, Severity
from recipes.space import Categorical, Float, Int, ParameterValue, SearchSpace
from recipes.task import RESERVED_PARAMETERS
from recipes.trainer_settings import limits_of
from recipes.value import Value

EPOCHS = "epochs"
WIDTH = "width"
DROPOUT = "dropout"
"""Names an adjustment may use beside hyperparameters': the length of the run; the sizes of the
model (every logarithmic whole number of the space that the trainer does not know); and every
dropout of the space."""

ALWAYS_FREE = ("schedule", "warmup", "grad_clip")
"""The trainer's knobs that are there without being declared (method.md, step 7), as is the
number of epochs."""

MOST_EPOCHS = 200
"""No prescription makes a run longer (as the loop has it)."""


class Setting(Value):
    """One run: its hyperparameters and its length."""

    params: dict[str, ParameterValue]
    epochs: int = Field(ge=1)


class Prescription(Value):
    """The first change that a list of findings asks for.

    Attributes:
        code: The finding's.
        place: Of that finding among those that warn, from 0: those before it name no change.
        changes: As the finding has them.
        setting: The setting with them made.
    """

    code: str
    place: int
    changes: tuple[Adjustment, ...]
    setting: Setting


def first_prescription(
    findings: Iterable[Finding], setting: Setting, space: SearchSpace
) -> Prescription | None:
    """The first finding's change that can be made, carried out; None when there is none.

    Only warnings and errors are followed: a hint is not worth a change.

    Args:
        findings: The gravest first.
        setting: What was run.
        space: What the task declares.
    """
    grave = [each for each in findings if each.severity is not Severity.INFO]
    for place, finding in enumerate(grave):
        changed = adjusted(setting, finding.changes, space)
        if changed is not None:
            return Prescription(
                code=finding.code, place=place, changes=finding.changes, setting=changed
            )
    return None


def adjusted(
    setting: Setting, changes: Sequence[Adjustment], space: SearchSpace
) -> Setting | None:
    """The setting with all of the changes that can be made; None when that changes nothing.

    Only what the space declares or the setting already names can be changed, the run's length
    and ``ALWAYS_FREE``. A hard range is kept; a soft one may be left, as the search may.

    Args:
        setting: Before.
        changes: Made one after another.
        space: What the task declares.
    """
    params, epochs = dict(setting.params), setting.epochs
    for change in changes:
        if change.name == EPOCHS:
            epochs = min(max(round(_changed(change, epochs)), 1), max(MOST_EPOCHS, epochs))
            continue
        for name in _names(change.name, params, space):
            params[name] = _inside(name, _value(change, params.get(name)), space.root.get(name))
    after = Setting(params=params, epochs=epochs)
    return None if after == setting else after


def _names(name: str, params: dict[str, ParameterValue], space: SearchSpace) -> list[str]:
    """The hyperparameters that an adjustment's name stands for."""
    if name == WIDTH:
        return [
            each
            for each, own in space.root.items()
            if each not in RESERVED_PARAMETERS
            and isinstance(own, Int)
            and own.log
            and each in params
        ]
    if name == DROPOUT:
        return [each for each in space.root if DROPOUT in each and each in params]
    is_there = name in params or name in space.root or name in ALWAYS_FREE
    return [name] if is_there else []


def _value(change: Adjustment, before: ParameterValue | None) -> ParameterValue:
    if change.value is not None:
        return change.value
    if isinstance(before, (bool, str)):
        return before  # a factor says nothing of it
    product = _changed(change, 0.0 if before is None else before)
    return max(1, round(product)) if isinstance(before, int) else float(f"{product:.4g}")


def _changed(change: Adjustment, before: float) -> float:
    if change.value is not None:
        return float(change.value)
    assert change.factor is not None
    product = before * change.factor
    if change.least is not None:
        product = max(product, change.least)
    return product if change.most is None else min(product, change.most)


def _inside(
    name: str, value: ParameterValue, own: Float | Int | Categorical | None
) -> ParameterValue:
    """The nearest value that the trainer and a hard range allow."""
    if isinstance(value, (bool, str)) or isinstance(own, Categorical):
        return value
    _, below = limits_of(name)
    if below is not None and value >= below:
        value = math.nextafter(below, 0.0)
    if own is None or not own.hard or own.holds(value):
        return value
    return min(max(value, own.low), own.high)
