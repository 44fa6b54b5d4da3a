"""Progress on a terminal: verdicts above, and below them what goes on, kept up to date."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from recipes.step import StepReport
from recipes.study import StudyState
from service.commands.console import seconds_since_start
from service.commands.step_words import print_step, title
from service.commands.wording import best_value, setting
from service.pages.sentences import now as say_now
from service.views.budget_text import budget_used
from service.views.format import duration

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from service.views.models import StudyView

BAR_WIDTH = 24
REFRESH_PER_SECOND = 4.0


class LiveView:
    """A context manager: the lower part is there while it is entered, and gone after it."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._console = console
        self._study: StudyView | None = None
        self._best: str = ""
        self._is_away = False
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=REFRESH_PER_SECOND,
            transient=True,
        )

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def judged(self, report: StepReport) -> None:
        """A verdict, above the lower part, where it stays."""
        print_step(report, self._console)
        if report.result is not None:
            best = report.result.best
            self._best = f"{best_value(best)} (trial {best.trial}): {setting(best.params)}"

    def now(self, study: StudyView) -> None:
        """Where the study is; seen with the next refresh."""
        self._study, self._is_away = study, False

    def away(self) -> None:
        """Shown until the service answers again."""
        self._is_away = True

    def refresh(self) -> None:
        """Draw now; it happens by itself some times a second."""
        self._live.refresh()

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        study = self._study
        if study is None:
            return Text("Starting")
        if study.state.has_ended:
            return Text("")
        lines = [Text("The service is away; trying again", "yellow")] if self._is_away else []
        lines += [_current(study)]
        if self._best:
            lines.append(Text(f"  Best so far: {self._best}"))
        lines.append(Text(f"  {_spent(study)}", "dim"))
        lines += [
            Text(f"○ {title(number)}", "dim")
            for number in study.planned_steps
            if study.current is not None and number > study.current.step
        ]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"  # a line a fact, however narrow
        return Group(*lines)


def _current(study: StudyView) -> Text:
    from rich.text import Text

    current = study.current
    if current is None or study.state is not StudyState.RUNNING:
        return Text(say_now(study, has_worker=True))
    name = title(current.step, round=current.round, pass_number=current.pass_number)
    line = Text.assemble(("▶ ", "cyan"), (name, "bold"), "  ")
    if current.total:
        filled = round(BAR_WIDTH * current.progress)
        line.append("━" * filled, "cyan").append("━" * (BAR_WIDTH - filled), "dim")
        line.append(f" {current.done} of {current.total} trials  ")
    return line.append(current.sentence)


def _spent(study: StudyView) -> str:
    """Time since the command began, what of the budget is used, and what is to come."""
    parts = [f"{duration(float(round(seconds_since_start())))} so far"]
    used = budget_used(study.budget.used, study.budget.allowed)
    if used:
        parts.append(f"budget: {used}")
    if study.current is not None and study.current.eta_seconds is not None:
        parts.append(f"about {duration(study.current.eta_seconds)} left of this step")
    return " · ".join(parts)
