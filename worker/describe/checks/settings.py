"""Whether the trainer can use what a space gives for the names it knows."""

from __future__ import annotations

from recipes.errors import InvalidSetting
from recipes.space import SearchSpace
from recipes.trainer_settings import check_trainer_setting
from worker.describe.errors import task_error


def check_settings(space: SearchSpace, *, file: str | None) -> None:
    """Try the ends (or every choice) of each reserved name's range on the trainer.

    Raises:
        TaskError: The trainer refuses one; names it, the value and the cure.
    """
    for name in space:
        for value in space[name].extremes():
            try:
                check_trainer_setting(name, value)
            except InvalidSetting as error:
                raise task_error(
                    f"`space` lets {name} be {value!r}, which the trainer does not take",
                    cure=error.cure,
                    file=file,
                ) from error
