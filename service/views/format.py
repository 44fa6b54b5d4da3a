"""How numbers, durations, times and states read on a page and in a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

MISSING = "-"
MAX_DECIMALS = 8
"""Smaller errors are written with an exponent."""


class Mark(NamedTuple):
    """A state as people read it: a sign, a word and the family that picks its colour."""

    sign: str
    word: str
    family: str  # good, caution, bad, active or quiet


MARKS: Mapping[str, Mark] = {
    # step runs
    "passed": Mark("✓", "passed", "good"),
    "warning": Mark("▲", "warning", "caution"),
    "inconclusive": Mark("≈", "inconclusive", "caution"),
    "skipped": Mark("»", "skipped", "quiet"),
    "stale": Mark("↺", "stale", "quiet"),
    # studies
    "pending": Mark("○", "waiting", "quiet"),
    "running": Mark("▶", "running", "active"),
    "needs_action": Mark("▲", "needs action", "caution"),
    "paused": Mark("‖", "paused", "quiet"),
    "completed": Mark("✓", "completed", "good"),
    # trials
    "waiting": Mark("○", "waiting", "quiet"),
    "complete": Mark("✓", "complete", "good"),
    "pruned": Mark("⊣", "stopped early", "quiet"),
    "diverged": Mark("✕", "diverged", "caution"),
    "non_finite": Mark("✕", "not finite", "caution"),
    # attempts
    "queued": Mark("○", "queued", "quiet"),
    "stopping": Mark("▶", "stopping", "active"),
    "succeeded": Mark("✓", "succeeded", "good"),
    "preempted": Mark("»", "preempted", "quiet"),
    # workers
    "busy": Mark("▶", "busy", "active"),
    "idle": Mark("○", "idle", "good"),
    "draining": Mark("»", "draining", "quiet"),
    "late": Mark("▲", "late", "caution"),
    "lost": Mark("?", "lost", "bad"),
    "gone": Mark("-", "gone", "quiet"),
    # what came of a hypothesis
    "confirmed": Mark("✓", "confirmed", "good"),
    "likely": Mark("≈", "likely", "quiet"),
    "refuted": Mark("✕", "refuted", "caution"),
    "untested": Mark("≈", "untested", "quiet"),
    # shared
    "failed": Mark("✕", "failed", "bad"),
    "cancelled": Mark("■", "cancelled", "quiet"),
    # findings
    "info": Mark("i", "info", "quiet"),
    "error": Mark("✕", "error", "bad"),
}

STEP_NAMES: Mapping[int, str] = {
    1: "Initial loss",
    2: "Overfit a small sample",
    3: "Find the learning rate",
    4: "Coarse search",
    5: "Fine search",
    6: "Read the curves",
    7: "Loop or stop",
}
"""What people call the seven steps."""

STEP_PURPOSES: Mapping[int, str] = {
    1: "Does the untrained model start at the loss that pure chance gives?",
    2: "Can it learn a handful of samples by heart?",
    3: "Which learning rates make the loss fall?",
    4: "Where in the space do good settings lie?",
    5: "Which setting in that region is best?",
    6: "What do the curves say about each run?",
    7: "Go round again, or stop?",
}


def mark(state: object) -> Mark:
    """The sign, word and family of a state. Unknown states show their own name."""
    name = str(getattr(state, "value", state))
    return MARKS.get(name, Mark("·", name.replace("_", " "), "quiet"))


def number(value: object, digits: int = 4) -> str:
    """A number as people read it: 4 significant digits, 1.2e-3, never 0 for a missing one.

    Args:
        value: A number, None for missing, or anything else, which is shown as text.
        digits: Significant digits kept.
    """
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 1e15 else f"{value:.{digits - 1}e}"
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    if value == 0:
        return "0"
    if 1e-2 <= abs(value) < 1e6:
        text = f"{value:.{digits}g}"
        return f"{value:,.0f}" if "e" in text else text
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}"


def estimate(value: float, standard_error: float | None) -> str:
    """A value with its standard error, which has two digits: ``0.9712 ± 0.0043``."""
    if not math.isfinite(value):
        return number(value)
    if standard_error is None or not math.isfinite(standard_error) or standard_error <= 0:
        return number(value)
    digits = decimals(standard_error)
    if digits == MAX_DECIMALS or abs(value) >= 1e6:
        return f"{number(value)} ± {number(standard_error, 2)}"
    return f"{value:.{digits}f} ± {standard_error:.{digits}f}"


def decimals(error: float) -> int:
    """Decimals at which an error above 0 has two significant digits, and so its value too."""
    return min(MAX_DECIMALS, max(0, 1 - math.floor(math.log10(error)))) if error > 0 else 3


def duration(seconds: float | None) -> str:
    """``4 min 10 s``, ``0.8 s``, ``2 h 5 min``; seconds below 0 read as 0."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def between(start: datetime | None, end: datetime | None) -> str:
    """How long something took, or ``-`` while one of its ends is missing."""
    if start is None or end is None:
        return MISSING
    return duration((end - start).total_seconds())


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, in words."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    return "just now" if seconds < 1 else f"{duration(float(round(seconds)))} ago"


def moment(value: datetime | None) -> str:
    """A time as text, UTC; the script of the page turns it into local time."""
    return MISSING if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def words(name: object) -> str:
    """A code or a field name as words: ``initial_loss_high`` -> ``initial loss high``."""
    return str(getattr(name, "value", name)).replace("_", " ")


def plural(count: int, noun: str) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
