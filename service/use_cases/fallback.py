"""Trials that failed while they trained together are tried again one by one.

An error, too little memory or a dead process may be the company's doing: together trials need
more memory, and one of them can bring the others down. A worker that was lost or taken away
says nothing about it, so the next attempt is made as the run spec has it. So it is after one
death of a process, which is often somebody else's doing; two of them are a pattern.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy.orm import Session

from recipes.run import RunSpec
from service.repositories import attempts
from service.use_cases.retry import CRASHED

MOST_CRASHES = 1
"""After which the members of a job are still trained together."""
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "error": "training it together with others raised an error",
        "out_of_memory": "training it together with others took more memory than there is",
        CRASHED: f"processes died {MOST_CRASHES + 1} times in which it trained with others",
    }
)
"""By the cause of failed attempts, why the next one trains its members one by one."""


def reason_to_part(session: Session, run: RunSpec, job_id: int, attempt_number: int) -> str | None:
    """Why an attempt trains its members one by one though its run spec has them together.

    None where it does as the run spec says. It depends on the attempts before it alone, so an
    attempt that is handed out twice is the same.

    Args:
        session: Any session.
        run: The job's run spec.
        job_id: The job.
        attempt_number: Which of its attempts.
    """
    if run.fuse == 1:
        return None
    causes = attempts.failures(session, job_id, tuple(REASONS), before=attempt_number)
    telling = [cause for cause in causes if cause != CRASHED]
    if causes.count(CRASHED) > MOST_CRASHES:
        telling.append(CRASHED)
    return REASONS[telling[0]] if telling else None
