"""The trainer's own hyperparameters: read from a setting, defaults filled in, checked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from recipes.errors import InvalidSetting
from recipes.space import Params
from worker.training.defaults import DEFAULT_PARAMS
from worker.training.initialisation import INITIALISATIONS
from worker.training.optimizers import OPTIMIZERS, OptimizerSettings
from worker.training.schedules import SCHEDULES


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What the trainer reads of a member's setting. Every other name is the model's.

    Attributes:
        warmup: Below 1 a share of the run, from 1 on a number of iterations.
        grad_clip: Largest norm of the whole gradient; 0: no clipping.
        label_smoothing: For the default classification loss alone.
    """

    optimizer: OptimizerSettings
    batch_size: int
    schedule: str
    warmup: float
    grad_clip: float
    label_smoothing: float
    init: str

    @classmethod
    def from_params(cls, params: Params) -> Hyperparameters:
        """Read a setting; names it lacks take ``DEFAULT_PARAMS``' values.

        ``momentum`` is SGD's; RMSprop has some only where the setting gives it.

        Raises:
            InvalidSetting: A value does not fit; it names field, value and cure.
        """
        optimizer = _choice(params, "optimizer", OPTIMIZERS)
        given = {"momentum": 0.0, **params} if optimizer != "sgd" else params
        return cls(
            optimizer=OptimizerSettings(
                name=optimizer,
                lr=_number(params, "lr", above=0),
                weight_decay=_number(params, "weight_decay"),
                momentum=_number(given, "momentum", below=1),
                beta1=_number(params, "beta1", below=1),
                beta2=_number(params, "beta2", below=1),
                nesterov=_flag(params, "nesterov"),
            ),
            batch_size=_count(params, "batch_size"),
            schedule=_choice(params, "schedule", SCHEDULES),
            warmup=_number(params, "warmup"),
            grad_clip=_number(params, "grad_clip"),
            label_smoothing=_number(params, "label_smoothing", below=1),
            init=_choice(params, "init", INITIALISATIONS),
        )

    def without_regularisation(self) -> tuple[Hyperparameters, tuple[str, ...]]:
        """Weight decay and label smoothing off, and what that switched off."""
        switched_off = []
        if self.optimizer.weight_decay:
            switched_off.append(f"weight_decay={self.optimizer.weight_decay:g}")
        if self.label_smoothing:
            switched_off.append(f"label_smoothing={self.label_smoothing:g}")
        bare = replace(
            self, label_smoothing=0.0, optimizer=replace(self.optimizer, weight_decay=0.0)
        )
        return bare, tuple(switched_off)


def _get(params: Params, name: str) -> object:
    return params[name] if name in params else DEFAULT_PARAMS[name]


def _choice(params: Params, name: str, choices: Iterable[str]) -> str:
    value = _get(params, name)
    names = list(choices)
    if not isinstance(value, str) or value not in names:
        raise InvalidSetting(name, value, f"choose one of {', '.join(names)}")
    return value


def _number(
    params: Params, name: str, *, above: float | None = None, below: float | None = None
) -> float:
    """A finite number: above ``above`` (else 0 or more) and, where given, under ``below``."""
    value = _get(params, name)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    fits = (
        is_number
        and math.isfinite(value)  # type: ignore[arg-type]
        and (value >= 0 if above is None else value > above)  # type: ignore[operator]
        and (below is None or value < below)  # type: ignore[operator]
    )
    if not fits:
        low = "of 0 or more" if above is None else f"above {above:g}"
        high = "" if below is None else f" and below {below:g}"
        raise InvalidSetting(name, value, f"give a finite number {low}{high}")
    return float(value)  # type: ignore[arg-type]


def _count(params: Params, name: str) -> int:
    value = _get(params, name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidSetting(name, value, "give a whole number of 1 or more")
    return value


def _flag(params: Params, name: str) -> bool:
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise InvalidSetting(name, value, "give true or false")
    return value
