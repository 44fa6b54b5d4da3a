"""Moves a study on by one decision: read, decide with no transaction open, write.

Stateless and idempotent. What was decided is written only if the study is still at the
version it was read at; after a crash, or when somebody else was faster, it is simply
decided again from what is stored.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from recipes.failpoint import failpoint
from recipes.plan import Next
from recipes.run import JobKind
from recipes.step import StepState
from recipes.study import StudyState
from recipes.trial import TrialState
from service import events
from service.clock import utc_now
from service.conductor.decisions import Begin, Decision, Fail, Judge, PlanJobs, decide
from service.conductor.recipe import SEVENSTEP, Recipe
from service.conductor.snapshot import Snapshot, StepSnapshot, read
from service.database.engine import Database
from service.database.models import StepRun, Trial
from service.database.statements import plain_text
from service.repositories import jobs, step_runs, studies, trials
from service.repositories.jobs import NewJob

PLAIN_ENGINE = "plain"


def advance(database: Database, study_uid: str, *, recipe: Recipe = SEVENSTEP) -> bool:
    """Move a study on by one decision, if there is one to take; whether anything changed.

    Args:
        database: Where the study is.
        study_uid: Which.
        recipe: The steps and their order.

    Raises:
        NotFound: There is no such study.
    """
    with database.read() as session:
        snapshot = read(session, study_uid)
    if snapshot is None:
        return False
    decision = decide(snapshot, recipe)
    failpoint("advance.between_plan_and_write")
    with database.write() as session:
        session.info["failpoint"] = "advance.after_commit"
        return _write(session, snapshot, decision)


def _write(session: Session, snapshot: Snapshot, decision: Decision) -> bool:
    """Write a decision, unless the study has changed since the snapshot was taken."""
    now = utc_now()
    values: dict[str, Any]
    match decision:
        case Begin(space=space, following=following):
            values = {
                "space": space.model_dump_json(),
                "started_at": now,
                **_study_values(following),
            }
        case PlanJobs(plan=plan):
            num_new = sum(len(job.trials) for job in plan.jobs)
            values = {"num_trials": snapshot.num_trials + num_new}
        case Judge(following=following):
            values = _study_values(following)
        case Fail(reason=reason):
            values = {
                "state": StudyState.FAILED,
                "reason": plain_text(reason),
                "finished_at": now,
            }
    if not studies.change_if(session, snapshot.id, snapshot.version, **values):
        return False
    match decision:
        case Begin(following=following):
            _follow(session, snapshot, following)
        case PlanJobs(step=step):
            _add_jobs(session, snapshot, step, decision)
        case Judge(step=step, following=following):
            _add_report(session, snapshot, step, decision)
            _follow(session, snapshot, following)
        case Fail():
            if snapshot.step is not None:
                step_runs.stop_running(session, snapshot.id, now)
    if values.get("state", snapshot.state) is not snapshot.state:
        events.append(session, snapshot.id, "study", {"state": values["state"].value})
    events.publish_on_commit(session, events.CONDUCTOR)
    return True


def _study_values(following: Next) -> dict[str, Any]:
    """The study's columns for what follows."""
    match following.kind:
        case "run":
            return {"state": StudyState.RUNNING, "reason": None}
        case "needs_action":
            return {"state": StudyState.NEEDS_ACTION, "reason": following.reason}
        case "complete":
            return {
                "state": StudyState.COMPLETED,
                "reason": following.reason,
                "finished_at": utc_now(),
            }


def _follow(session: Session, snapshot: Snapshot, following: Next) -> None:
    if following.kind != "run":
        return
    assert following.number is not None
    session.execute(
        insert(StepRun).values(
            study_id=snapshot.id,
            number=following.number,
            round=following.round,
            pass_number=following.pass_number,
            state=StepState.RUNNING,
            task_digest=snapshot.description.digest,
            started_at=utc_now(),
        )
    )
    payload = {
        "number": following.number,
        "round": following.round,
        "pass": following.pass_number,
        "state": StepState.RUNNING.value,
    }
    events.append(session, snapshot.id, "step", payload)


def _add_jobs(
    session: Session, snapshot: Snapshot, step: StepSnapshot, decision: PlanJobs
) -> None:
    """Write the planned trials, numbered in plan order, their jobs and first attempts."""
    planned = [trial for job in decision.plan.jobs for trial in job.trials]
    numbers = range(snapshot.num_trials, snapshot.num_trials + len(planned))
    rows = [
        {
            "study_id": snapshot.id,
            "step_run_id": step.id,
            "number": number,
            "purpose": trial.purpose,
            "label": trial.label,
            "params": json.dumps(dict(trial.params)),
            "seed": trial.seed,
            "data_seed": trial.data_seed,
            "engine": PLAIN_ENGINE,
            "state": TrialState.WAITING,
        }
        for number, trial in zip(numbers, planned, strict=True)
    ]
    ids = session.scalars(
        insert(Trial).returning(Trial.id, sort_by_parameter_order=True), rows
    ).all()
    new_jobs = []
    first = 0
    for job in decision.plan.jobs:
        behind = first + len(job.trials)
        run = job.run_spec(numbers[first:behind])
        new_jobs.append(NewJob(JobKind.TRAIN, step.id, run.model_dump_json(), ids[first:behind]))
        first = behind
    now = utc_now()
    jobs.queue(session, snapshot.id, new_jobs, now=now)
    session.execute(
        update(StepRun)
        .where(StepRun.id == step.id)
        .values(plan=decision.plan.sentence)
        .execution_options(synchronize_session=False)
    )
    events.append(session, snapshot.id, "trial", {"numbers": list(numbers)})
    events.publish_on_commit(session, events.JOBS)


def _add_report(session: Session, snapshot: Snapshot, step: StepSnapshot, decision: Judge) -> None:
    now = utc_now()
    report = decision.report.model_copy(update={"started_at": step.started_at, "finished_at": now})
    session.execute(
        update(StepRun)
        .where(StepRun.id == step.id)
        .values(state=report.state, report=report.model_dump_json(), finished_at=now)
        .execution_options(synchronize_session=False)
    )
    about = {finding.trial for finding in report.findings if finding.trial is not None}
    step_runs.add_findings(
        session,
        study_id=snapshot.id,
        step_run_id=step.id,
        findings=report.findings,
        trial_ids=trials.ids(session, snapshot.id, about),
    )
    payload = {
        "number": step.number,
        "round": step.round,
        "pass": step.pass_number,
        "state": report.state.value,
    }
    events.append(session, snapshot.id, "step", payload)
