"""Progress for a script on a terminal, or for a notebook: a line a verdict, a bar below."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from recipes.step import StepReport
from service.views.models import StudyView


class Bar:
    """An observer and a context manager: the bar is there while it is entered.

    Args:
        console: Where it is drawn; standard error by default, so that output stays clean.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            console=console or Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Bar:
        self._progress.start()
        self._task = self._progress.add_task("waiting for a worker", total=1, count="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def judged(self, report: StepReport) -> None:
        """A verdict, above the bar, where it stays."""
        word = "" if report.verdict is None else report.verdict.value
        self._progress.console.print(
            escape(f"step {report.number}, round {report.round}: {word}. {report.sentence}"),
            highlight=False,
            soft_wrap=True,
        )

    def now(self, study: StudyView) -> None:
        """The bar shows the trials of the current step."""
        current = study.current
        if current is None:
            self._update(study.state.value.replace("_", " "))
            return
        name = f"step {current.step} of 7, {current.kind.replace('_', ' ')}"
        if current.round > 1:
            name += f", round {current.round}"
        self._update(name, current.done, current.total)

    def away(self) -> None:
        """Said in the bar until the service answers again."""
        self._update("the service is away; trying again")

    def _update(self, description: str, done: int = 0, total: int = 0) -> None:
        assert self._task is not None, "enter it first"
        count = f"{done} of {total} trials" if total else ""
        self._progress.update(
            self._task, description=description, completed=done, total=total or 1, count=count
        )
