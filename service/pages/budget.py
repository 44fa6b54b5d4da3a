"""What a study may spend and has spent, as lines of its page."""

from __future__ import annotations

from dataclasses import dataclass

from service.views.format import duration, number
from service.views.models import StudyView


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One kind of spending. ``share`` of the limit that is used, 0 to 1; None: no limit."""

    name: str
    text: str
    share: float | None


def budget_lines(study: StudyView) -> list[BudgetLine]:
    """Used and allowed, the limited kinds first; what has no limit is said as used alone."""
    allowed, used = study.budget.allowed, study.budget.used
    device = None if allowed.device_hours is None else 3600 * allowed.device_hours
    lines = [
        _line("Time", used.wall_seconds, allowed.wall_seconds, is_time=True),
        _line("Epochs", used.epochs, allowed.epochs),
        _line("Search trials", used.trials, allowed.trials),
        _line("Device time", used.device_seconds, device, is_time=True),
    ]
    return sorted(lines, key=lambda line: line.share is None)


def _line(name: str, used: float, allowed: float | None, *, is_time: bool = False) -> BudgetLine:
    def said(value: float) -> str:
        return duration(value) if is_time else number(round(value))

    if allowed is None:
        return BudgetLine(name, f"{said(used)}, no limit", None)
    return BudgetLine(name, f"{said(used)} of {said(allowed)}", min(1.0, used / allowed))
