"""What a person may do with a study as it stands: the buttons on its pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from recipes.step import StepReport, StepState
from recipes.study import StudyState
from service.views.models import StudyView

APPLIED = {"widen": "run it again over the wider range", "loop": "begin the next round"}
"""Kinds of action that the service can apply itself, and what that means."""


@dataclass(frozen=True, slots=True)
class Choices:
    """Which buttons fit.

    Attributes:
        waiting: The report that the study waits with, if it waits for a person.
        accept: What accepting would do; empty where there is nothing to accept.
        rerun: Whether steps may be run again, on their own pages.
        delete: Whether it may be deleted: it has ended.
        reads_only: Whether buttons are left out because the session is one to read with.
    """

    waiting: StepReport | None
    accept: str
    skip: bool
    rerun: bool
    pause: bool
    resume: bool
    cancel: bool
    delete: bool = False
    reads_only: bool = False

    @property
    def any(self) -> bool:
        """Whether there is anything to do on the study's own page."""
        return self.waiting is not None or self.pause or self.resume or self.cancel


@dataclass(frozen=True, slots=True)
class Command:
    """What a button does, as a request: its path under ``/api/v1`` and what it sends."""

    label: str
    path: str
    method: str = "POST"
    body: Mapping[str, Any] | None = None


def choices(study: StudyView, reports: Sequence[StepReport], *, may_write: bool = True) -> Choices:
    """What fits a study's state: the verbs that the service says are possible.

    Args:
        study: Which.
        reports: Its steps', oldest first.
        may_write: Whether who looks may change anything; without it there are no buttons.
    """
    found = _possible(study, reports)
    if may_write:
        return found
    nothing = {"skip": False, "rerun": False, "pause": False, "resume": False, "cancel": False}
    return replace(found, waiting=None, accept="", delete=False, reads_only=found.any, **nothing)


def commands(study: StudyView, offered: Choices) -> list[Command]:
    """The requests of the buttons on a study's own page."""
    return list(_commands(f"/studies/{study.id}", study, offered))


def rerun_command(study: StudyView, number: int) -> Command:
    """The request that runs a step again."""
    return Command(f"Run step {number} again", f"/studies/{study.id}/steps/{number}/rerun")


def _commands(base: str, study: StudyView, offered: Choices) -> Iterator[Command]:
    report = offered.waiting
    if report is not None:
        run = f"?round={report.round}&pass={report.pass_number}"
        at = f"{base}/steps/{report.number}"
        if offered.accept:
            yield Command(f"Accept: {offered.accept}", f"{at}/accept{run}")
        if offered.rerun:
            yield rerun_command(study, report.number)
        if offered.skip:
            reason = {"reason": "why it is not needed"}
            yield Command("Go on without it", f"{at}/skip{run}", body=reason)
    for verb in ("pause", "resume", "cancel"):
        if getattr(offered, verb):
            yield Command(verb.capitalize(), f"{base}/{verb}")
    if offered.delete:
        confirm = quote(study.name, safe="")
        yield Command("Delete", f"{base}?confirm={confirm}", method="DELETE")


def _possible(study: StudyView, reports: Sequence[StepReport]) -> Choices:
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
        delete=study.state.has_ended,
    )
