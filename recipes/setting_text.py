"""Settings as people write them on a command line: ``--set`` and ``--incumbent``."""

from __future__ import annotations

from collections.abc import Sequence

from recipes.description import TaskDescription
from recipes.errors import InvalidSetting
from recipes.space import Categorical, Float, Int, ParameterValue
from recipes.study_space import parse_setting

Fixed = dict[str, ParameterValue]
Ranges = dict[str, Float | Int | Categorical]


def parse_settings(texts: Sequence[str], description: TaskDescription) -> tuple[Fixed, Ranges]:
    """Fixed values and ranges from ``name=value`` and ``name=low..high``.

    Raises:
        InvalidSetting: A text does not parse, or names a hyperparameter twice.
    """
    fixed: Fixed = {}
    ranges: Ranges = {}
    for text in texts:
        name = text.partition("=")[0].strip()
        if name in fixed or name in ranges:
            raise InvalidSetting("--set", text, f"{name} is set twice; give it once")
        parsed = parse_setting(text, description)
        if isinstance(parsed, (Float, Int, Categorical)):
            ranges[name] = parsed
        else:
            fixed[name] = parsed
    return fixed, ranges


def parse_incumbent(text: str, description: TaskDescription) -> Fixed:
    """A setting from ``lr=0.1,weight_decay=5e-4``.

    Raises:
        InvalidSetting: A part does not parse, is a range, or names a hyperparameter twice.
    """
    try:
        fixed, ranges = parse_settings(text.split(","), description)
    except InvalidSetting as error:
        cure = error.cure.replace("name=value or name=low..high", "name=value,name=value")
        raise InvalidSetting("--incumbent", error.value, cure) from error
    if ranges:
        raise InvalidSetting("--incumbent", text, "a setting has one value for each name")
    return fixed
