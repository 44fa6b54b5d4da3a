"""A study's search space: the task's own, with the study's ranges and fixed values."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from recipes.description import TaskDescription
from recipes.errors import InvalidSetting
from recipes.space import Categorical, Float, Int, ParameterValue, SearchSpace
from recipes.step import StepKind
from recipes.study import SearchOptions, StudyConfig
from recipes.task import RESERVED_PARAMETERS
from recipes.trainer_settings import check_trainer_setting
from recipes.value import LARGEST_NUMBER

TOO_LARGE = f"give a number of at most {LARGEST_NUMBER:g} in size"
NOT_WHOLE = "give a whole number, as the task's own range has"
"""Cures of a value and of a range's end alike."""


def study_space(description: TaskDescription, config: StudyConfig) -> SearchSpace:
    """The task's space, with ranges replaced and fixed names taken out.

    The incumbent's names and values are checked too: it is searched, as one of the trials.

    Raises:
        InvalidSetting: A name the task does not know, a value it cannot take, or a grid that
            its choices do not fit into.
    """
    known = set(description.space) | RESERVED_PARAMETERS
    given = (("space", config.space), ("set", config.set), ("incumbent", config.incumbent))
    for field, names in given:
        for name in names:
            if name not in known:
                raise InvalidSetting(field, name, _did_you_mean(name, known, description))
    for field, values in (("set", config.set), ("incumbent", config.incumbent)):
        for name, value in values.items():
            _check_value(f"{field}.{name}", name, value, description)
    for name, distribution in config.space.root.items():
        for value in distribution.extremes():
            _check_value(f"space.{name}", name, value, description)
    replaced = {
        name: _as_hard_as(description.space.root.get(name), distribution)
        for name, distribution in config.space.root.items()
    }
    merged = {**description.space.root, **replaced}
    space = SearchSpace({name: own for name, own in merged.items() if name not in config.set})
    if StepKind.COARSE_SEARCH.number in config.steps:
        _check_grid(space, config.search)
    return space


def _as_hard_as(
    own: Float | Int | Categorical | None, given: Float | Int | Categorical
) -> Float | Int | Categorical:
    """The range that a study gives, hard where the task's own is: no step may widen it."""
    if own is None or isinstance(own, Categorical) or isinstance(given, Categorical):
        return given
    if not own.hard:
        return given
    if isinstance(given, Float) and given.zero and not own.holds(0):
        given = given.model_copy(update={"zero": False})
    return given.model_copy(update={"hard": True})


def _check_grid(space: SearchSpace, search: SearchOptions) -> None:
    """Whether a grid has trials for every combination of choices."""
    least = space.num_combinations()
    if search.coarse_proposals == "grid" and search.coarse_trials < least:
        raise InvalidSetting(
            "search.coarse_trials",
            search.coarse_trials,
            f"a grid of all choices takes {least:,} trials; give as many, or choose sobol as"
            " search.coarse_proposals",
        )


def check_settings(config: StudyConfig) -> None:
    """Check what can be known before the task is described: the trainer's own names.

    Raises:
        InvalidSetting: A value that the trainer cannot use; names field, value and cure.
    """
    for field, values in (("set", config.set), ("incumbent", config.incumbent)):
        for name, value in values.items():
            check_trainer_setting(name, value, field=f"{field}.{name}")
    for name, distribution in config.space.root.items():
        for value in distribution.extremes():
            check_trainer_setting(name, value, field=f"space.{name}")


def parse_setting(text: str, description: TaskDescription) -> ParameterValue | Float | Int:
    """The right-hand side of ``--set name=...``: a value, or a range ``low..high``.

    A range keeps the scale of the task's own range of that name, given by the caller as
    ``name=low..high``; a value is read as that range's type.

    Args:
        text: ``name=value`` or ``name=low..high``.
        description: The task's description.

    Raises:
        InvalidSetting: The text does not parse, or does not fit the name.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name or not value:
        raise InvalidSetting("--set", text, "write name=value or name=low..high")
    own = description.space.root.get(name)
    low, dots, high = value.partition("..")
    if not dots:
        return _parse_value(value, own)
    ends = [_parse_value(end, own) for end in (low, high)]
    numbers = [end for end in ends if isinstance(end, (int, float)) and not isinstance(end, bool)]
    if len(numbers) < len(ends):
        raise InvalidSetting("--set", text, "both ends of a range must be numbers")
    if any(abs(end) > LARGEST_NUMBER for end in numbers):
        raise InvalidSetting("--set", text, TOO_LARGE)
    if isinstance(own, Int) and not all(float(end).is_integer() for end in numbers):
        raise InvalidSetting("--set", text, NOT_WHOLE)
    return _parse_range(name, text, numbers, own)


def _parse_range(
    name: str, text: str, ends: list[int | float], own: Float | Int | Categorical | None
) -> Float | Int:
    low, high = ends
    try:
        if isinstance(own, Int):
            return Int(int(low), int(high), log=own.log, hard=own.hard)
        if isinstance(own, Float):
            return Float(float(low), float(high), log=own.log, zero=own.zero, hard=own.hard)
        return Float(float(low), float(high), log=name in ("lr", "weight_decay"))
    except ValueError as error:
        reason = str(error).partition("Value error, ")[2].partition(" [type=")[0] or str(error)
        raise InvalidSetting("--set", text, reason) from error


def _parse_value(text: str, own: Float | Int | Categorical | None) -> ParameterValue:
    if isinstance(own, Categorical):
        for choice in own.choices:
            if str(choice) == text:
                return choice
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def _check_value(
    field: str, name: str, value: ParameterValue, description: TaskDescription
) -> None:
    """Whether the task and the trainer can take a value: fixed, or an end of a range."""
    own = description.space.root.get(name)
    if isinstance(own, Categorical) and not own.holds(value):
        raise InvalidSetting(field, value, f"give one of {list(own.choices)}")
    if isinstance(own, (Float, Int)):
        _check_number(field, value, own)
    check_trainer_setting(name, value, field=field)


def _check_number(field: str, value: ParameterValue, own: Float | Int) -> None:
    if isinstance(value, (bool, str)) or value != value:
        raise InvalidSetting(field, value, "give a number")
    if isinstance(own, Int) and not isinstance(value, int):
        raise InvalidSetting(field, value, NOT_WHOLE)
    if abs(value) > LARGEST_NUMBER:
        raise InvalidSetting(field, value, TOO_LARGE)
    if own.hard and not own.holds(value):
        raise InvalidSetting(
            field, value, f"its range {own.low:g} to {own.high:g} is hard; stay inside"
        )


def _did_you_mean(name: str, known: Iterable[str], description: TaskDescription) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    names = ", ".join(description.space) or "none"
    hint = f"did you mean {near[0]!r}? " if near else ""
    trainer = ", ".join(sorted(RESERVED_PARAMETERS))
    return f"{hint}the task's own names are {names}; the trainer knows {trainer}"
