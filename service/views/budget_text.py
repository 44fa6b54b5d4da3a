"""``--budget``: what people write, and how a budget reads."""

from __future__ import annotations

import re

from recipes.budget import Budget, Spent
from recipes.errors import InvalidSetting
from recipes.value import LARGEST_NUMBER
from recipes.words import number, plural

FORMS = "write 90s, 15m, 1h30m, 200epochs, 64trials, 2device-hours, or some joined by +"
TIME = re.compile(
    r"(?:(?P<hours>\d+(?:\.\d+)?)h)?"
    r"(?:(?P<minutes>\d+(?:\.\d+)?)m(?:in)?)?"
    r"(?:(?P<seconds>\d+(?:\.\d+)?)s)?"
)
COUNT = re.compile(r"(?P<count>\d+)(?P<what>epoch|trial)s?")
DEVICE_HOURS = re.compile(r"(?P<hours>\d+(?:\.\d+)?)device-?hours?")
SECONDS = {"hours": 3600.0, "minutes": 60.0, "seconds": 1.0}


def parse_budget(text: str) -> Budget:
    """A budget from what people write: ``15m``, ``1h30m+64trials``, ``2device-hours``.

    Args:
        text: Amounts joined by ``+``, each of another kind. Blanks do not count.

    Raises:
        InvalidSetting: An amount that is none of these, that is 0 or beyond any number of
            torch's, or a kind given twice.
    """
    limits: dict[str, float] = {}
    for part in text.split("+"):
        kind, amount = _parse_amount("".join(part.split()).lower(), text)
        if kind in limits:
            raise InvalidSetting("--budget", text, "it limits one thing twice; give it once")
        if not amount > 0:
            raise InvalidSetting("--budget", text, "give more than 0")
        if amount > LARGEST_NUMBER:
            raise InvalidSetting("--budget", text, f"give at most {LARGEST_NUMBER} of a kind")
        limits[kind] = amount
    return Budget.model_validate(limits)


def _parse_amount(part: str, text: str) -> tuple[str, float]:
    if (found := COUNT.fullmatch(part)) is not None:
        return f"{found['what']}s", int(found["count"])
    if (found := DEVICE_HOURS.fullmatch(part)) is not None:
        return "device_hours", float(found["hours"])
    if part and (found := TIME.fullmatch(part)) is not None:
        given = ((unit, value) for unit, value in found.groupdict().items() if value)
        return "wall_seconds", sum(float(value) * SECONDS[unit] for unit, value in given)
    raise InvalidSetting("--budget", text, FORMS)


def budget_text(budget: Budget) -> str:
    """A budget as the option takes it: ``15m+64trials``; empty without any limit."""
    parts = []
    if budget.wall_seconds is not None:
        parts.append(_time_text(budget.wall_seconds))
    if budget.epochs is not None:
        parts.append(f"{budget.epochs}epochs")
    if budget.trials is not None:
        parts.append(f"{budget.trials}trials")
    if budget.device_hours is not None:
        parts.append(f"{budget.device_hours:g}device-hours")
    return "+".join(parts)


def budget_words(budget: Budget) -> str:
    """A budget in words: ``15m and 64 trials``; ``no limit`` without any."""
    parts = []
    if budget.wall_seconds is not None:
        parts.append(_time_text(budget.wall_seconds))
    if budget.epochs is not None:
        parts.append(plural(budget.epochs, "epoch"))
    if budget.trials is not None:
        parts.append(plural(budget.trials, "trial"))
    if budget.device_hours is not None:
        parts.append(f"{number(budget.device_hours)} device hours")
    return " and ".join(parts) or "no limit"


def budget_used(spent: Spent, allowed: Budget) -> str:
    """What is used of what is allowed: ``3m20s of 15m, 12 of 64 trials``; empty without limit."""
    parts = []
    if allowed.wall_seconds is not None:
        used = _time_text(float(round(spent.wall_seconds)))
        parts.append(f"{used} of {_time_text(allowed.wall_seconds)}")
    if allowed.epochs is not None:
        parts.append(f"{spent.epochs:.0f} of {plural(allowed.epochs, 'epoch')}")
    if allowed.trials is not None:
        parts.append(f"{spent.trials} of {plural(allowed.trials, 'trial')}")
    if allowed.device_hours is not None:
        used = number(spent.device_seconds / 3600)
        parts.append(f"{used} of {number(allowed.device_hours)} device hours")
    return ", ".join(parts)


def _time_text(seconds: float) -> str:
    whole, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(whole), 60)
    text = (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")
    return text + (f"{rest:g}s" if rest or not text else "")
