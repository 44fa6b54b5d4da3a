"""The trainer's own hyperparameters: read from a setting, defaults filled in, checked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from recipes.space import ParameterValue, Params
from recipes.trainer_settings import check_trainer_setting
from worker.training.defaults import DEFAULT_PARAMS
from worker.training.optimizers import OptimizerSettings


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
        optimizer = _choice(params, "optimizer")
        given = {"momentum": 0.0, **params} if optimizer != "sgd" else params
        return cls(
            optimizer=OptimizerSettings(
                name=optimizer,
                lr=_number(params, "lr"),
                weight_decay=_number(params, "weight_decay"),
                momentum=_number(given, "momentum"),
                beta1=_number(params, "beta1"),
                beta2=_number(params, "beta2"),
                nesterov=_flag(params, "nesterov"),
            ),
            batch_size=_count(params, "batch_size"),
            schedule=_choice(params, "schedule"),
            warmup=_number(params, "warmup"),
            grad_clip=_number(params, "grad_clip"),
            label_smoothing=_number(params, "label_smoothing"),
            init=_choice(params, "init"),
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


def _get(params: Params, name: str) -> ParameterValue:
    return params[name] if name in params else DEFAULT_PARAMS[name]


def _choice(params: Params, name: str) -> str:
    return str(_checked(params, name))


def _number(params: Params, name: str) -> float:
    return float(_checked(params, name))


def _count(params: Params, name: str) -> int:
    return int(_checked(params, name))


def _flag(params: Params, name: str) -> bool:
    return bool(_checked(params, name))


def _checked(params: Params, name: str) -> ParameterValue:
    value = _get(params, name)
    check_trainer_setting(name, value)
    return value
