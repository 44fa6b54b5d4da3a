"""Where a study's progress is shown: on a terminal, or as plain lines."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.client.following import Observer


def display_for(*, to_stderr: bool) -> AbstractContextManager[Observer]:
    """A live view on a terminal, plain lines elsewhere.

    Args:
        to_stderr: Whether standard output belongs to something else.
    """
    from service.commands.lines import Lines
    from service.commands.live import LiveView
    from service.commands.step_words import console_for

    console = console_for(to_stderr=to_stderr)
    return LiveView(console) if console.is_terminal else Lines(console)
