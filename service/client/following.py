"""Follows a study: each verdict as soon as it is there, and what goes on in between."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

from recipes.step import StepReport, StepState
from recipes.study import StudyState
from service.client.errors import ClientError, StillRunning
from service.client.patience import Patience
from service.client.stream import BEGIN, QUIET_SECONDS, impatiently, listen, wait_out
from service.client.transport import Transport, study_path
from service.views.models import StepView, StudyView

DECISIVE = ("study", "step", "reset")
"""Events that are looked into at once: a verdict, or the end, may be behind them."""
LOOK_SECONDS = 0.25
"""Least time between two looks for the sake of other events: a study of short trials has a
hundred of them a second, and each look costs the service more than one of them."""
UNJUDGED = (StepState.PENDING, StepState.RUNNING, StepState.STALE)


class Observer(Protocol):
    """Who is told of a study's progress."""

    def judged(self, report: StepReport) -> None:
        """A step has its verdict; each is told once."""
        ...

    def now(self, study: StudyView) -> None:
        """Where the study is. Called often, mostly with little news."""
        ...

    def away(self) -> None:
        """The service does not answer; it is tried again."""
        ...


def follow(
    transport: Transport,
    uid: str,
    observer: Observer,
    *,
    timeout_seconds: float | None = None,
    is_interrupted: Callable[[], bool] = lambda: False,
) -> StudyView:
    """Tell an observer of a study until it ends or waits for a person.

    Args:
        transport: To the service. Its patience is how long the service may be away.
        uid: The study's.
        observer: Who is told.
        timeout_seconds: Longest to wait; None: as long as it takes.
        is_interrupted: Asked at every event; true: stop, as if Ctrl-C came just now.

    Returns:
        The study as it is in the end.

    Raises:
        StillRunning: Time is up; the study goes on.
        ClientError: The service is away for good, or refuses.
        KeyboardInterrupt: It was interrupted.
    """
    follower = _Follower(impatiently(transport), uid, observer)
    ends = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    patience = Patience(transport.patience_seconds)
    position = 0
    while True:
        try:
            if follower.look():
                return follower.study
            patience.met()
            quiet_seconds = _quiet_seconds(uid, ends)
            for event in listen(
                impatiently(transport), uid, position, quiet_seconds=quiet_seconds
            ):
                if is_interrupted():
                    raise KeyboardInterrupt
                position = max(position, event.id)
                if follower.must_look(event.kind) and follower.look():
                    return follower.study
                _quiet_seconds(uid, ends)
        except StillRunning:
            raise
        except ClientError as error:
            observer.away()
            wait_out(error, patience)


def _quiet_seconds(uid: str, ends: float | None) -> float:
    """For how long to listen to silence: not beyond the end of the time given."""
    if ends is None:
        return QUIET_SECONDS
    left = ends - time.monotonic()
    if left <= 0:
        raise StillRunning(f"study {uid} has not ended within the time given; it goes on")
    return min(QUIET_SECONDS, left)


class _Follower:
    """Looks at a study, and tells an observer what it did not know."""

    def __init__(self, transport: Transport, uid: str, observer: Observer) -> None:
        self._transport = transport
        self._uid = uid
        self._observer = observer
        self._told: set[tuple[int, int, int]] = set()
        self._looked_at = -math.inf
        self.study: StudyView

    def must_look(self, kind: str) -> bool:
        """Whether an event of this kind is a reason to look now."""
        if kind == BEGIN:
            return False
        return kind in DECISIVE or time.monotonic() - self._looked_at >= LOOK_SECONDS

    def look(self) -> bool:
        """Look once; whether there is nothing more to wait for."""
        self._looked_at = time.monotonic()
        self.study = study = self._transport.get(study_path(self._uid), StudyView)
        for step in study.steps:
            key = (step.number, step.round, step.pass_number)
            if step.state not in UNJUDGED and key not in self._told:
                report = self._report(*key)
                self._told.add(key)
                self._observer.judged(report)
        self._observer.now(study)
        return study.state.has_ended or study.state is StudyState.NEEDS_ACTION

    def _report(self, number: int, round: int, pass_number: int) -> StepView:
        """Of one run of a step: the list of all of them grows with the study."""
        path = study_path(self._uid, f"steps/{number}")
        return self._transport.get(path, StepView, {"round": round, "pass": pass_number})
