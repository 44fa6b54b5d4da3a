"""The form for a new study: what was typed, what does not fit, and the request it makes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from recipes.errors import InvalidSetting
from recipes.space import ParameterValue
from recipes.study import LAST_STEP, StudyConfig, check_texts
from recipes.study_space import check_settings
from service.errors import InvalidInput
from service.settings import Settings
from service.use_cases.task_policy import check_new_task
from service.web.wording import message_of

LOG_FROM = 100
"""A range whose ends lie this many times apart is logarithmic unless ``linear`` is said: such
values are thought of by their powers of ten (method.md, step 4: search in log space)."""
RANGE = re.compile(
    r"(?P<low>[^\s.]*(?:\.[^\s.]+)?)\s*\.\.\s*(?P<high>\S+)(?P<words>(?:\s+[a-z]+)*)"
)
RANGE_WORDS = frozenset({"log", "linear", "hard", "zero", "int"})
MAX_LINES = 100
MAX_SHOWN = 60
"""Most characters of a line that a message repeats."""

DEFAULTS: Mapping[str, str] = {
    "name": "",
    "task": "digits",
    "task_args": "",
    "space": "",
    "incumbent": "",
    "seed": "0",
    "minutes": "",
    "epochs": "",
    "trials": "",
    "device_hours": "",
    "max_rounds": "",
    "autopilot": "on",
    **{f"step_{number}": "on" for number in range(1, LAST_STEP + 1)},
}
"""What the empty form holds; a checkbox is ``on`` or empty."""
BOXES = frozenset(name for name, value in DEFAULTS.items() if value == "on")
FIELDS: Mapping[str, str] = {
    "budget.wall_seconds": "minutes",
    "budget.epochs": "epochs",
    "budget.trials": "trials",
    "budget.device_hours": "device_hours",
    "steps": "steps",
    "set": "space",
    "search": "task",
}
"""The form's fields by those of the request, where they are called otherwise."""


@dataclass(slots=True)
class StudyForm:
    """A filled-in form.

    Attributes:
        typed: What stands in its fields, by name, as it was typed.
        payload: The request's body, as far as the fields could be read.
        config: The same, checked; None where something does not fit.
        errors: What does not fit, by field, in words with the cure.
    """

    typed: dict[str, str]
    payload: dict[str, Any] = field(default_factory=dict)
    config: StudyConfig | None = None
    errors: dict[str, str] = field(default_factory=dict)


def empty() -> StudyForm:
    """The form as it is first shown."""
    return StudyForm(dict(DEFAULTS))


def filled(fields: Mapping[str, str], settings: Settings) -> StudyForm:
    """The form as it was sent, checked as the REST interface checks the same request.

    Args:
        fields: What the browser sent; an unticked box sends nothing.
        settings: Which tasks this service runs.
    """
    form = StudyForm({name: fields.get(name, "").replace("\r", "") for name in DEFAULTS})
    form.payload = dict(_payload(form))
    try:
        config = StudyConfig.model_validate(form.payload)
        check_new_task(config.task, settings, config.task_args)
        check_texts(config)
        check_settings(config)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            path = ".".join(str(part) for part in found["loc"])
            _blame(form, path, message_of({**found, "loc": ("body", *found["loc"])}))
    except (InvalidInput, InvalidSetting) as error:
        _blame(form, error.field.removeprefix("--"), error.cure)
    else:
        form.config = None if form.errors else config
    return form


def _blame(form: StudyForm, path: str, message: str) -> None:
    top = path.partition(".")[0]
    name = FIELDS.get(path) or FIELDS.get(top) or (top if top in DEFAULTS else "task")
    inner = (
        path.removeprefix(top).strip(".") if name in ("space", "task_args", "incumbent") else ""
    )
    inner = re.sub(r"\.?(float|int|categorical|str|bool)(\.|$)", r"\2", inner).strip(".")
    form.errors.setdefault(name, f"{inner}: {message}" if inner else message)


def _payload(form: StudyForm) -> Iterator[tuple[str, Any]]:
    """The request's fields: only those that differ from what is meant without them."""
    typed = form.typed
    task = typed["task"].strip()
    yield "name", typed["name"].strip() or _name_of(task)
    yield "task", task
    arguments = dict(_settings(form, "task_args"))
    if arguments:
        yield "task_args", arguments
    given = dict(_settings(form, "space"))
    fixed = {name: value for name, value in given.items() if not isinstance(value, dict)}
    ranges = {name: value for name, value in given.items() if isinstance(value, dict)}
    if fixed:
        yield "set", fixed
    if ranges:
        yield "space", ranges
    incumbent = dict(_settings(form, "incumbent"))
    if incumbent:
        yield "incumbent", incumbent
    seed = _number(form, "seed")
    if seed not in (None, 0):
        yield "seed", seed
    limits = {
        "wall_seconds": _number(form, "minutes", 60),
        "epochs": _number(form, "epochs"),
        "trials": _number(form, "trials"),
        "device_hours": _number(form, "device_hours"),
    }
    budget = {name: value for name, value in limits.items() if value is not None}
    if budget:
        yield "budget", budget
    rounds = _number(form, "max_rounds")
    if rounds is not None:
        yield "max_rounds", rounds
    if typed["autopilot"] != "on":
        yield "autopilot", False
    steps = [n for n in range(1, LAST_STEP + 1) if typed[f"step_{n}"] == "on"]
    if not steps:
        form.errors["steps"] = "tick at least one"
    elif len(steps) < LAST_STEP:
        yield "steps", steps


def _name_of(task: str) -> str:
    """A study's name when none was given: the class's, else the file's or the task's own."""
    path, colon, name = task.rpartition(":")
    return name if colon else path.rpartition("/")[2] or name or "study"


def _number(form: StudyForm, name: str, unit: int = 1) -> int | float | None:
    text = form.typed[name].strip()
    if not text:
        return None
    value = parse_value(text)
    if isinstance(value, (bool, str)):
        form.errors[name] = "give a number"
        return None
    return value * unit


def _settings(form: StudyForm, field_name: str) -> Iterator[tuple[str, Any]]:
    """``name = value`` and ``name = low..high`` a line (or between commas, for a setting)."""
    text = form.typed[field_name]
    separators = r"\n" if field_name != "incumbent" else r"[\n,]"
    lines = [line.strip() for line in re.split(separators, text) if line.strip()]
    seen: set[str] = set()
    for line in lines[:MAX_LINES]:
        name, equals, value = (part.strip() for part in line.partition("="))
        said = line[:MAX_SHOWN]
        if not (name and equals and value):
            form.errors.setdefault(field_name, f"{said!r}: write name = value, one a line")
        elif name in seen:
            form.errors.setdefault(field_name, f"{name} is given twice; give it once")
        else:
            seen.add(name)
            try:
                yield name, _meant(value) if field_name == "space" else parse_value(value)
            except ValueError as error:
                form.errors.setdefault(field_name, f"{said!r}: {error}")
    if len(lines) > MAX_LINES:
        form.errors.setdefault(field_name, f"give at most {MAX_LINES} lines")


def _meant(text: str) -> Any:
    """A fixed value, a range as the request writes it, or choices between commas."""
    found = RANGE.fullmatch(text)
    if found is None:
        if ".." in text:
            raise ValueError("write a range as low..high, with log, linear or hard after it")
        if "," in text:
            choices = [parse_value(part.strip()) for part in text.split(",") if part.strip()]
            return {"kind": "categorical", "choices": choices}
        return parse_value(text)
    low, high = parse_value(found["low"]), parse_value(found["high"])
    words = set(found["words"].split())
    if isinstance(low, (bool, str)) or isinstance(high, (bool, str)):
        raise ValueError("both ends of a range are numbers")
    if unknown := words - RANGE_WORDS:
        known = ", ".join(sorted(RANGE_WORDS))
        raise ValueError(f"{sorted(unknown)[0]} is none of {known}")
    is_whole = isinstance(low, int) and isinstance(high, int)
    meant: dict[str, Any] = {"kind": "int" if is_whole else "float", "low": low, "high": high}
    if "log" in words or ("linear" not in words and low > 0 and high >= LOG_FROM * low):
        meant["log"] = True
    return meant | {word: True for word in ("hard", "zero") if word in words}


def parse_value(text: str) -> ParameterValue:
    """A value as JSON writes it; any other text is itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (bool, int, float, str)) else text
