"""A whole study as rows: seven steps, a widened pass, two rounds, an incumbent and a test.

Made of real reports and outcomes, so that pages can be looked at without training anything.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from recipes.budget import Budget
from recipes.outcome import MemberOutcome
from recipes.run import JobKind
from recipes.step import StepReport
from recipes.study import StudyConfig, StudyState
from recipes.trial import TrialPurpose, TrialState
from recipes.wire import AttemptState
from service.clock import utc_now
from service.database.models import Attempt, AttemptMember, Job, JobMember, StepRun, Study, Trial
from service.repositories import curves
from service.repositories.curves import CurveName
from service.uids import new_uid
from tests.pages_tests.gallery_reports import (
    BATCHES,
    EPOCHS,
    INCUMBENT,
    NUM_SEARCHED,
    is_lost,
    outcome_of,
    params_of,
    reports,
)
from tests.recipes_tests.builders import description


def whole_study(
    session: Session,
    *,
    name: str = "digits, the whole recipe",
    until: int | None = None,
    state: StudyState = StudyState.COMPLETED,
) -> str:
    """Write the study.

    Args:
        session: A write session.
        name: The study's.
        until: How many of its reports are there already; all of them if left out.
        state: The study's.
    """
    config = StudyConfig(
        name=name,
        task="digits",
        budget=Budget(wall_seconds=900.0, trials=64),
        incumbent=INCUMBENT.params,
        autopilot=False,
    )
    now = utc_now()
    start = now - timedelta(minutes=8)
    written = reports()[:until]
    result = next((r.result for r in reversed(written) if r.result is not None), None)
    described = description()
    study = Study(
        uid=new_uid(),
        version=0,
        name=name,
        config=config.model_dump_json(),
        seed=0,
        state=state,
        reason="no_gain" if state is StudyState.COMPLETED else None,
        description=described.model_dump_json(),
        space=described.space.model_dump_json(),
        digest=described.digest,
        result=None if result is None else result.model_dump_json(),
        num_trials=NUM_SEARCHED,
        num_events=0,
        active_seconds=471.0,
        created_at=start,
        started_at=start,
        finished_at=now if state.has_ended else None,
    )
    session.add(study)
    session.flush()
    runs = [_run(session, study, report, start) for report in written]
    searches = [run for run in runs if run.number in (4, 5)] or runs
    for number in range(NUM_SEARCHED):
        run = searches[number * len(searches) // NUM_SEARCHED]
        _trial(session, study, run, number, start)
    return study.uid


def _run(session: Session, study: Study, report: StepReport, start: datetime) -> StepRun:
    run = StepRun(
        study_id=study.id,
        number=report.number,
        round=report.round,
        pass_number=report.pass_number,
        state=report.state,
        report=report.model_dump_json(),
        started_at=start,
        finished_at=start + timedelta(seconds=30),
    )
    session.add(run)
    session.flush()
    return run


def _trial(session: Session, study: Study, run: StepRun, number: int, start: datetime) -> None:
    pruned = number % 3 == 0
    outcome = outcome_of(number, epochs=3 if pruned else EPOCHS, pruned=pruned)
    best = max(e.metrics["accuracy"].mean for e in outcome.on("val")[1:])
    trial = Trial(
        study_id=study.id,
        step_run_id=run.id,
        number=number,
        purpose=TrialPurpose.SEARCH,
        label="search",
        params=json.dumps(params_of(number)),
        seed=number,
        data_seed=0,
        engine="plain",
        state=outcome.state,
        cause=outcome.cause,
        outcome=outcome.model_dump_json(),
        iterations=outcome.iterations,
        epoch_iterations=BATCHES,
        value=None if is_lost(number) else best,
        started_at=start,
        ended_at=start + timedelta(seconds=outcome.seconds),
    )
    session.add(trial)
    session.flush()
    _attempt(session, study, trial, outcome)


def _attempt(session: Session, study: Study, trial: Trial, outcome: MemberOutcome) -> None:
    job = Job(
        study_id=study.id,
        step_run_id=trial.step_run_id,
        kind=JobKind.TRAIN,
        state=TrialState.COMPLETE,
        created_at=trial.started_at,
        ended_at=trial.ended_at,
    )
    session.add(job)
    session.flush()
    attempt = Attempt(
        uid=new_uid(),
        job_id=job.id,
        number=1,
        fence=1,
        state=AttemptState.SUCCEEDED,
        queued_at=trial.started_at,
        started_at=trial.started_at,
        ended_at=trial.ended_at,
        seconds=outcome.seconds,
    )
    session.add(attempt)
    session.add(JobMember(job_id=job.id, trial_id=trial.id, state=outcome.state))
    session.flush()
    session.add(AttemptMember(attempt_id=attempt.id, trial_id=trial.id))
    session.flush()
    points = {
        CurveName(trial.id, prefix + metric, split): {
            e.iteration: e.metrics[metric].mean for e in outcome.on(split)
        }
        for split, prefix in (("train", "eval_"), ("val", ""))
        for metric in ("accuracy", "loss")
    }
    keys = curves.add_curves(session, attempt.id, points)
    curves.add_points(session, {keys[name]: values for name, values in points.items()})
