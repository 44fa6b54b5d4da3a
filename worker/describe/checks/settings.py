"""Whether the trainer can use what a space gives for the names it knows."""

from __future__ import annotations

from recipes.errors import InvalidSetting
from recipes.space import Categorical, ParameterValue, SearchSpace
from recipes.task import RESERVED_PARAMETERS
from worker.describe.errors import task_error
from worker.training.hyperparameters import Hyperparameters


def check_settings(space: SearchSpace, *, file: str | None) -> None:
    """Try the ends (or every choice) of each reserved name's range on the trainer.

    Raises:
        TaskError: The trainer refuses one; names it, the value and the cure.
    """
    for name in space:
        if name not in RESERVED_PARAMETERS:
            continue
        distribution = space[name]
        values: tuple[ParameterValue, ...] = (
            distribution.choices
            if isinstance(distribution, Categorical)
            else (distribution.low, distribution.high)
        )
        for value in values:
            try:
                Hyperparameters.from_params({name: value})
            except InvalidSetting as error:
                raise task_error(
                    f"`space` lets {name} be {value!r}, which the trainer does not take",
                    cure=error.cure,
                    file=file,
                ) from error
