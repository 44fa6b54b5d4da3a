"""Studies of a task that an earlier command left unfinished, told when the task is run again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipes.study import StudyState
from recipes.words import plural

if TYPE_CHECKING:
    from service.commands.carry_out import Place
    from service.views.models import StudySummary

LOOKED_AT = 50
"""Newest studies looked at: one that was left longer ago was left for good."""


def left_over_line(studies: Sequence[StudySummary], task: str, place: Place) -> str | None:
    """What there is of a task already, and what becomes of it; None when nothing was left.

    What was under way goes on by itself as soon as a service is there, beside the new study:
    where this command has just started that service, nobody else would say so. In a service
    of somebody else's it is not left over, it runs.

    Args:
        studies: The newest, newest first, from before this command's own is created.
        task: The task's name, or its absolute path.
        place: Where the command carries its study out.
    """
    found = [study for study in studies if study.task == task and _is_left(study, place)]
    if not found:
        return None
    study = found[0]
    where = "before its first step" if study.current is None else f"at step {study.current.step}"
    if study.state is StudyState.PAUSED:
        line = (
            f"Study {study.id} of this task is paused {where};"
            f" `{place.command(f'resume {study.id}')}` goes on with it."
        )
    else:
        line = (
            f"Study {study.id} of this task was interrupted {where} and goes on now, beside the"
            f" new one; `{place.command(f'pause {study.id}')}` holds it,"
            f" `{place.command(f'cancel {study.id}')}` ends it."
        )
    more = f" So it is with {plural(len(found) - 1, 'older study')} too."
    return line + (more if len(found) > 1 else "")


def _is_left(study: StudySummary, place: Place) -> bool:
    if study.state is StudyState.PAUSED:
        return True
    return place.is_own and study.state in (StudyState.PENDING, StudyState.RUNNING)
