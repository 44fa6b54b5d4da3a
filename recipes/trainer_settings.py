"""What the trainer's own hyperparameters may be: checked before anything is created."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from recipes.errors import InvalidSetting

OPTIMIZER_NAMES = ("sgd", "adagrad", "rmsprop", "adam", "adamw")
SCHEDULE_NAMES = ("constant", "step", "cosine", "linear", "inverse_sqrt")
INIT_NAMES = ("default", "kaiming", "xavier", "small_normal")


@dataclass(frozen=True, slots=True)
class _Number:
    """A finite number: above ``above`` (else 0 or more) and, where given, under ``below``."""

    above: float | None = None
    below: float | None = None

    def fits(self, value: object) -> bool:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return False
        try:
            number = float(value)
        except OverflowError:
            return False
        is_high_enough = number >= 0 if self.above is None else number > self.above
        return (
            math.isfinite(number)
            and is_high_enough
            and (self.below is None or number < self.below)
        )

    @property
    def cure(self) -> str:
        low = "of 0 or more" if self.above is None else f"above {self.above:g}"
        high = "" if self.below is None else f" and below {self.below:g}"
        return f"give a finite number {low}{high}"


@dataclass(frozen=True, slots=True)
class _Count:
    cure: str = "give a whole number of 1 or more"

    def fits(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@dataclass(frozen=True, slots=True)
class _Flag:
    cure: str = "give true or false"

    def fits(self, value: object) -> bool:
        return isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class _Choice:
    names: tuple[str, ...]

    def fits(self, value: object) -> bool:
        return isinstance(value, str) and value in self.names

    @property
    def cure(self) -> str:
        return f"choose one of {', '.join(self.names)}"


LIMITS: Mapping[str, _Number | _Count | _Flag | _Choice] = MappingProxyType(
    {
        "lr": _Number(above=0),
        "weight_decay": _Number(),
        "momentum": _Number(below=1),
        "nesterov": _Flag(),
        "beta1": _Number(below=1),
        "beta2": _Number(below=1),
        "optimizer": _Choice(OPTIMIZER_NAMES),
        "batch_size": _Count(),
        "schedule": _Choice(SCHEDULE_NAMES),
        "warmup": _Number(),
        "grad_clip": _Number(),
        "label_smoothing": _Number(below=1),
        "init": _Choice(INIT_NAMES),
    }
)
"""Every name the trainer knows (``RESERVED_PARAMETERS``), and what it takes for it."""


def check_trainer_setting(name: str, value: object, *, field: str | None = None) -> None:
    """Refuse a value the trainer cannot use. Names that are not its own pass.

    Args:
        name: The hyperparameter.
        value: Its value.
        field: What the error calls it; the name, when left out.

    Raises:
        InvalidSetting: The value does not fit; names field, value and cure.
    """
    limit = LIMITS.get(name)
    if limit is not None and not limit.fits(value):
        raise InvalidSetting(field or name, value, limit.cure)


def limits_of(name: str) -> tuple[float | None, float | None]:
    """What a trainer's number must be above, and below; None: no such limit.

    (None, None) for a name that is no number of the trainer's.
    """
    limit = LIMITS.get(name)
    return (limit.above, limit.below) if isinstance(limit, _Number) else (None, None)
