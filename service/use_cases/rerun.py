"""A step that runs again because its task was changed, and what becomes of what came after."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from recipes.description import TaskDescription
from recipes.run import JobKind
from recipes.step import StepReport
from recipes.study import StudyState
from service.clock import utc_now
from service.database.models import StepRun, Study
from service.repositories import jobs, step_runs, studies
from service.repositories.jobs import NewJob
from service.streams import events
from service.use_cases.attempt_end import stop_work


def begin(session: Session, study: Study, run: StepRun) -> None:
    """Describe the study's task again; with that, ``run`` and all later runs become stale.

    What is under way stops. Until the new description is there, all else stays as it is, so
    that a task which cannot be used after all costs no step its verdict. The study's row is
    held.
    """
    now = utc_now()
    stop_work(session, study.id, now)
    jobs.queue(session, study.id, [NewJob(JobKind.DESCRIBE)], now=now)
    studies.change(
        session,
        study.id,
        state=StudyState.PENDING,
        reason=None,
        problem=None,
        rerun_from=run.id,
    )
    events.append(session, study.id, "study", {"state": StudyState.PENDING.value})
    events.publish_on_commit(session, events.JOBS)


def take_up(session: Session, study: Study, description: TaskDescription) -> None:
    """Go on from a changed task's description. The study's row is held."""
    assert study.rerun_from is not None
    runs = step_runs.of_study(session, study.id)
    stale = [run for run in runs if run.id >= study.rerun_from]
    step_runs.make_stale(session, stale)
    left = step_runs.judged(run for run in runs if run.id < study.rerun_from)
    studies.change(
        session,
        study.id,
        description=description.model_dump_json(),
        digest=description.digest,
        space=None,
        result=newest_result(left),
        rerun_from=None,
    )
    for run in stale:
        events.append(session, study.id, "step", {**step_runs.place(run), "state": "stale"})


def newest_result(history: Sequence[StepReport]) -> str | None:
    """What the study concluded by these reports, as JSON."""
    found = [report.result for report in history if report.result is not None]
    return found[-1].model_dump_json() if found else None
