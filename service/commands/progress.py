"""Follows a study: each verdict as soon as it is there, and what goes on in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from recipes.step import StepReport, StepState
from recipes.study import StudyState

if TYPE_CHECKING:
    from service.commands.client import Client
    from service.views import StudyView

UNJUDGED = (StepState.PENDING, StepState.RUNNING, StepState.STALE)
RECONNECT_SECONDS = 1.0
AWAY_SECONDS = 60.0
"""How long the service may be away before the command gives up following."""


class Display(Protocol):
    """Where progress is shown."""

    def judged(self, report: StepReport) -> None:
        """A step has its verdict; each is told once."""
        ...

    def now(self, study: StudyView) -> None:
        """Where the study is. Called often, mostly with little news."""
        ...

    def away(self) -> None:
        """The service does not answer; it is tried again."""
        ...


def display_for(*, to_stderr: bool) -> AbstractContextManager[Display]:
    """A live view on a terminal, plain lines elsewhere.

    Args:
        to_stderr: Whether standard output belongs to something else.
    """
    from service.commands.lines import Lines
    from service.commands.live import LiveView
    from service.commands.step_words import console_for

    console = console_for(to_stderr=to_stderr)
    return LiveView(console) if console.is_terminal else Lines(console)


def follow(
    client: Client,
    uid: str,
    display: Display,
    *,
    is_interrupted: Callable[[], bool] = lambda: False,
) -> StudyView:
    """Show a study's progress until it ends or waits for a person.

    Args:
        client: Of the service.
        uid: The study's.
        display: Where progress is shown.
        is_interrupted: Asked at every event; true: stop, as if Ctrl-C came just now.

    Raises:
        ClientError: The service is away for good, or refuses.
        KeyboardInterrupt: It was interrupted.
    """
    from service.commands.client import Unreachable

    follower = _Follower(client, uid, display)
    position, away_since = 0, None
    while True:
        try:
            if follower.look():
                return follower.study
            away_since = None
            for event in client.events(uid, position):
                if is_interrupted():
                    raise KeyboardInterrupt
                position = max(position, event.id)
                if event.kind != "at" and follower.look():
                    return follower.study
        except Unreachable:
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > AWAY_SECONDS:
                raise
            display.away()
        time.sleep(RECONNECT_SECONDS)


class _Follower:
    """Looks at a study, and tells a display what it did not know."""

    def __init__(self, client: Client, uid: str, display: Display) -> None:
        self._client = client
        self._uid = uid
        self._display = display
        self._told: set[tuple[int, int, int]] = set()
        self.study: StudyView

    def look(self) -> bool:
        """Look once; whether there is nothing more to wait for."""
        self.study = study = self._client.study(self._uid)
        judged = {
            (step.number, step.round, step.pass_number)
            for step in study.steps
            if step.state not in UNJUDGED
        }
        if judged - self._told:
            for report in self._client.steps(self._uid):
                key = (report.number, report.round, report.pass_number)
                if key in judged - self._told:
                    self._told.add(key)
                    self._display.judged(report)
        self._display.now(study)
        return study.state.has_ended or study.state is StudyState.NEEDS_ACTION
