"""Moves a study on by one decision: read, decide with no transaction open, write.

Stateless and idempotent. What was decided is written only if the study is still at the
version it was read at; after a crash, or when somebody else was faster, it is simply
decided again from what is stored.
"""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from recipes.failpoint import failpoint
from recipes.plan import Next
from recipes.step import StepKind, StepState
from recipes.study import StudyState
from service.clock import database_now, utc_now
from service.conductor.decisions import Begin, Decision, Fail, GoOn, Judge, PlanJobs, decide
from service.conductor.recipe import SEVENSTEP, Recipe
from service.conductor.snapshot import Snapshot, StepSnapshot, read
from service.conductor.work import add_jobs, discard
from service.database.engine import Database, after_commit
from service.database.models import StepRun, Study
from service.database.statements import plain_text
from service.repositories import step_runs, step_work, studies, trials
from service.settings import Settings
from service.streams import events
from service.use_cases.attempt_end import stop_work
from service.use_cases.spending import active_seconds

log = logging.getLogger(__name__)


def advance(
    database: Database, study_uid: str, *, settings: Settings, recipe: Recipe = SEVENSTEP
) -> bool:
    """Move a study on by one decision, if there is one to take; whether anything changed.

    Args:
        database: Where the study is.
        study_uid: Which.
        settings: How long a silent worker's slots still count.
        recipe: The steps and their order.

    Raises:
        NotFound: There is no such study.
    """
    with database.read() as session:
        snapshot = read(session, study_uid, recipe=recipe, settings=settings)
    if snapshot is None:
        return False
    decision = decide(snapshot, recipe)
    failpoint("advance.between_plan_and_write")
    with database.write() as session:
        session.info["failpoint"] = f"advance.after_{_what(decision)}"
        return _write(session, snapshot, decision)


def _write(session: Session, snapshot: Snapshot, decision: Decision) -> bool:
    """Write a decision, unless the study has changed since the snapshot was taken."""
    now = utc_now()
    if not studies.change_if(
        session, snapshot.id, snapshot.version, **_values(snapshot, decision, now)
    ):
        return False
    match decision:
        case Begin(following=following) | GoOn(following=following):
            _follow(session, snapshot, following)
        case PlanJobs(step=step, plan=plan):
            discard(session, snapshot.id, step, plan.discard)
            add_jobs(session, snapshot, step, plan)
        case Judge(step=step, following=following):
            discard(session, snapshot.id, step, decision.discard)
            _add_report(session, snapshot, step, decision)
            step_work.add(session, snapshot.id, step.id, decision.memory)
            _follow(session, snapshot, following)
        case Fail():
            stop_work(session, snapshot.id, now)
    state = session.get_one(Study, snapshot.id, populate_existing=True).state
    if state is not snapshot.state:
        events.append(session, snapshot.id, "study", {"state": state.value})
    _tell(session, snapshot, decision, state)
    return True


def _tell(session: Session, snapshot: Snapshot, decision: Decision, state: StudyState) -> None:
    """Log a decision, once it is written for good."""
    match decision:
        case PlanJobs(step=step, plan=plan):
            told = f"step {step.number}: {plan.sentence or 'planned'}"
        case Judge(step=step, report=report):
            told = f"step {step.number} is {report.state.value}: {report.sentence}"
        case _:
            told = f"is {state.value}"
    words = "study %s %s"
    fields = {"study": snapshot.uid}
    after_commit(session, partial(log.info, words, snapshot.uid, told, extra=fields))


def _what(decision: Decision) -> str:
    """The decision in a word, for the failpoint after it."""
    match decision:
        case PlanJobs(plan=plan):
            return "rung" if plan.discard else "plan"
        case Judge(report=report):
            return "loop" if report.kind is StepKind.LOOP else "verdict"
        case Begin():
            return "begin"
        case GoOn():
            return "go_on"
        case Fail():
            return "fail"


def _values(snapshot: Snapshot, decision: Decision, now: datetime) -> dict[str, Any]:
    """The study's columns once the decision is carried out."""
    match decision:
        case Begin(space=space, following=following):
            return {
                "space": space.model_dump_json(),
                **({} if snapshot.history else {"started_at": now}),
                **_study_values(following, now),
            }
        case GoOn(following=following):
            return _study_values(following, now)
        case PlanJobs(plan=plan):
            return {"num_trials": snapshot.num_trials + len(plan.new_trials)}
        case Judge(report=report, following=following):
            values = _study_values(following, now)
            if report.result is not None:
                values["result"] = report.result.model_dump_json()
            return values
        case Fail(reason=reason):
            return {
                "state": StudyState.FAILED,
                "reason": plain_text(reason),
                "finished_at": now,
            }


def _study_values(following: Next, now: datetime) -> dict[str, Any]:
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
                "finished_at": now,
            }


def _follow(session: Session, snapshot: Snapshot, following: Next) -> None:
    if following.kind != "run":
        return
    assert following.number is not None
    study = session.get_one(Study, snapshot.id, populate_existing=True)
    # A step that ran before, stale runs counted in, takes the next pass of its round.
    behind = step_runs.next_pass(session, snapshot.id, following.number, following.round)
    run = StepRun(
        study_id=snapshot.id,
        number=following.number,
        round=following.round,
        pass_number=behind,
        state=StepState.RUNNING,
        task_digest=snapshot.description.digest,
        active_seconds_before=active_seconds(study, database_now(session)),
        started_at=utc_now(),
    )
    session.add(run)
    session.flush()
    events.append(session, snapshot.id, "step", step_runs.place(run))


def _add_report(session: Session, snapshot: Snapshot, step: StepSnapshot, decision: Judge) -> None:
    now = utc_now()
    report = decision.report.model_copy(update={"started_at": step.started_at, "finished_at": now})
    step_runs.finish(session, step.id, report, now)
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
        "state": report.state,
    }
    events.append(session, snapshot.id, "step", payload)
