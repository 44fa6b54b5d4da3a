"""Progress as plain lines: one for each change, none twice.

The best setting so far has no line of its own: the verdicts of the searches name it.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from recipes.step import StepReport
from recipes.study import StudyState
from service.commands.step_words import print_step, title

if TYPE_CHECKING:
    from rich.console import Console

    from service.views.models import StudyView


class Lines:
    """Writes a line when a step plans, and its verdict when it is judged."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: set[str] = set()
        self._is_away = False

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def judged(self, report: StepReport) -> None:
        """A verdict."""
        print_step(report, self._console)

    def now(self, study: StudyView) -> None:
        """What the current step has planned, once."""
        self._is_away = False
        if study.state is StudyState.PAUSED:
            self._say_once("Paused.")
        elif study.current is not None and study.current.sentence:
            current = study.current
            name = title(current.step, round=current.round, pass_number=current.pass_number)
            self._say_once(f"… {name}: {current.sentence}")

    def away(self) -> None:
        """Once for each time it is away."""
        if not self._is_away:
            self._say("The service is away; trying again.")
        self._is_away = True

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False)
