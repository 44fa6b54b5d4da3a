"""What a person may do with a study as it stands: the buttons on its pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recipes.step import StepReport, StepState
from recipes.study import StudyState
from service.views import StudyView

APPLIED = {"widen": "run it again over the wider range", "loop": "begin the next round"}
"""Kinds of action that the service can apply itself, and what that means."""


@dataclass(frozen=True, slots=True)
class Choices:
    """Which buttons fit.

    Attributes:
        waiting: The report that the study waits with, if it waits for a person.
        accept: What accepting would do; empty where there is nothing to accept.
        rerun: Whether steps may be run again, on their own pages.
    """

    waiting: StepReport | None
    accept: str
    skip: bool
    rerun: bool
    pause: bool
    resume: bool
    cancel: bool

    @property
    def any(self) -> bool:
        """Whether there is anything to do on the study's own page."""
        return self.waiting is not None or self.pause or self.resume or self.cancel


def choices(study: StudyView, reports: Sequence[StepReport]) -> Choices:
    """What fits a study's state: the verbs that the service says are possible."""
    judged = [r for r in reports if r.verdict is not None and r.state is not StepState.STALE]
    last = judged[-1] if judged else None
    waits = study.state is StudyState.NEEDS_ACTION and last is not None
    action = last.action if waits and last is not None else None
    can_accept = "accept" in study.verbs and action is not None
    return Choices(
        waiting=last if waits else None,
        accept=APPLIED.get(action.kind, "do as it says") if can_accept and action else "",
        skip=waits and "skip" in study.verbs,
        rerun=bool(judged) and "rerun" in study.verbs,
        pause="pause" in study.verbs,
        resume="resume" in study.verbs,
        cancel="cancel" in study.verbs,
    )
