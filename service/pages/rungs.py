"""A trial's attempts, rung by rung: a rung of successive halving is a job of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recipes.wire import AttemptState
from service.views.format import number, plural
from service.views.models import AttemptView, TrialView


@dataclass(frozen=True, slots=True)
class Rung:
    """The attempts at one job. ``title`` is empty where there was one job alone."""

    title: str
    attempts: tuple[AttemptView, ...]


def rungs(trial: TrialView) -> list[Rung]:
    """A trial's attempts by the jobs they were at, oldest first.

    An attempt that succeeded ends its job: what follows is the next rung's.
    """
    groups: list[list[AttemptView]] = []
    is_over = True
    for attempt in trial.attempts:
        if is_over:
            groups.append([])
        groups[-1].append(attempt)
        is_over = attempt.state is AttemptState.SUCCEEDED
    if len(groups) < 2:
        return [Rung("", tuple(group)) for group in groups]
    per_epoch = _iterations_an_epoch(trial)
    return [
        Rung(_title(place, group, per_epoch), tuple(group))
        for place, group in enumerate(groups, start=1)
    ]


def _title(place: int, attempts: Sequence[AttemptView], per_epoch: int | None) -> str:
    begun = attempts[0].resume_iteration
    if not begun:
        return f"Rung {place}, from the start"
    if per_epoch and begun % per_epoch == 0:
        return f"Rung {place}, on from {plural(begun // per_epoch, 'epoch')}"
    return f"Rung {place}, on from iteration {number(begun)}"


def _iterations_an_epoch(trial: TrialView) -> int | None:
    if not trial.num_epochs or not trial.iterations:
        return None
    return trial.iterations // trial.num_epochs
