"""Use cases on studies. Each takes a session and leaves the commit to its caller."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from recipes.description import TaskProblem
from recipes.run import JobKind
from recipes.space import SearchSpace
from recipes.step import StepState
from recipes.study import StudyConfig, StudyState
from service import cursors, events
from service.clock import utc_now
from service.database.models import StepRun, Study
from service.errors import InvalidState, NotFound
from service.reports import report
from service.repositories import attempts, jobs, step_runs, trials
from service.repositories import studies as repository
from service.repositories.jobs import NewJob
from service.uids import new_uid
from service.views import (
    CurrentStep,
    StepSummary,
    StepView,
    StudyPage,
    StudySummary,
    StudyView,
)

__all__ = ["cancel", "create", "get", "list_studies", "report", "step", "steps"]


def create(session: Session, config: StudyConfig) -> StudyView:
    """Begin a study: its row and its first job, describe. Nothing else can be known yet."""
    now = utc_now()
    study = Study(
        uid=new_uid(),
        version=0,
        name=config.name,
        config=config.model_dump_json(),
        seed=config.seed,
        state=StudyState.PENDING,
        num_trials=0,
        num_events=0,
        created_at=now,
    )
    session.add(study)
    session.flush()
    jobs.queue(session, study.id, [NewJob(JobKind.DESCRIBE)], now=now)
    events.append(session, study.id, "study", {"state": study.state.value})
    events.publish_on_commit(session, events.JOBS)
    return _view(session, study)


def get(session: Session, uid: str) -> StudyView:
    """A study. Raises NotFound."""
    return _view(session, repository.require(session, uid))


def list_studies(
    session: Session,
    *,
    state: StudyState | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> StudyPage:
    """Studies, newest first.

    Raises:
        InvalidInput: ``limit`` or ``cursor`` does not fit.
    """
    cursors.check_limit(limit)
    before = cursors.decode("studies", cursor)
    found = repository.page(session, state=state, before=before, limit=limit + 1)
    shown = found[:limit]
    latest = step_runs.latest(session, [study.id for study in shown])
    return StudyPage(
        items=tuple(_summary(study, latest.get(study.id)) for study in shown),
        next_cursor=cursors.encode("studies", shown[-1].id) if len(found) > limit else None,
    )


def steps(session: Session, uid: str) -> list[StepView]:
    """The runs of a study's steps, oldest first. Raises NotFound."""
    study_id = repository.require_id(session, uid)
    return [step_runs.view(run) for run in step_runs.of_study(session, study_id)]


def step(
    session: Session,
    uid: str,
    number: int,
    *,
    round: int | None = None,
    pass_number: int | None = None,
) -> StepView:
    """A run of a step: the latest one, or that of a round and pass. Raises NotFound."""
    study_id = repository.require_id(session, uid)
    matching = [
        run
        for run in step_runs.of_study(session, study_id)
        if run.number == number
        and round in (None, run.round)
        and pass_number in (None, run.pass_number)
    ]
    if not matching:
        raise NotFound("run of step", number)
    return step_runs.view(matching[-1])


def cancel(session: Session, uid: str) -> StudyView:
    """End a study for good. Cancelling a cancelled one changes nothing.

    Trials that have not ended are cancelled; workers that train them hear of it with
    their next heartbeat.

    Raises:
        NotFound: There is no such study.
        InvalidState: It has completed or failed.
    """
    study = repository.require(session, uid, lock=True)
    if study.state is StudyState.CANCELLED:
        return _view(session, study)
    if study.state.has_ended:
        raise InvalidState(f"study {uid} is {study.state.value} and cannot be cancelled")
    now = utc_now()
    repository.change(
        session, study.id, state=StudyState.CANCELLED, reason="cancelled", finished_at=now
    )
    attempts.cancel_all(session, study.id, now)
    jobs.cancel_open(session, study.id, now)
    cancelled = trials.cancel_open(session, study.id, now)
    if cancelled:
        events.append(session, study.id, "trial", {"numbers": cancelled})
    events.append(session, study.id, "study", {"state": StudyState.CANCELLED.value})
    session.refresh(study)
    return _view(session, study)


def _view(session: Session, study: Study) -> StudyView:
    config = StudyConfig.model_validate_json(study.config)
    runs = step_runs.of_study(session, study.id)
    return StudyView(
        id=study.uid,
        name=study.name,
        state=study.state,
        reason=study.reason,
        task=config.task,
        task_args=config.task_args,
        set=config.set,
        space=None if study.space is None else SearchSpace.model_validate_json(study.space),
        seed=study.seed,
        created_at=study.created_at,
        started_at=study.started_at,
        finished_at=study.finished_at,
        current=_current(session, study, runs),
        steps=tuple(_step_summary(run) for run in runs),
        planned_steps=config.steps,
        num_trials=study.num_trials,
        problem=(
            None if study.problem is None else TaskProblem.model_validate_json(study.problem)
        ),
    )


def _current(session: Session, study: Study, runs: Sequence[StepRun]) -> CurrentStep | None:
    if study.state.has_ended or not runs or runs[-1].state is not StepState.RUNNING:
        return None
    run = runs[-1]
    count = trials.count(session, run.id)
    return CurrentStep(
        step=run.number,
        kind=step_runs.kind_of(run.number),
        round=run.round,
        pass_number=run.pass_number,
        progress=count.ended / count.total if count.total else 0.0,
        done=count.ended,
        total=count.total,
        sentence=run.plan or "",
    )


def _step_summary(run: StepRun) -> StepSummary:
    view = step_runs.view(run)
    return StepSummary(
        number=run.number,
        kind=view.kind,
        round=run.round,
        pass_number=run.pass_number,
        state=run.state,
        verdict=view.verdict,
        sentence=view.sentence,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def _summary(study: Study, latest: StepRun | None) -> StudySummary:
    if latest is not None:
        sentence = step_runs.view(latest).sentence
    elif study.state is StudyState.PENDING:
        sentence = "waits for a worker to describe the task"
    else:
        sentence = study.reason or ""
    return StudySummary(
        id=study.uid,
        name=study.name,
        state=study.state,
        reason=study.reason,
        task=StudyConfig.model_validate_json(study.config).task,
        seed=study.seed,
        created_at=study.created_at,
        started_at=study.started_at,
        finished_at=study.finished_at,
        num_trials=study.num_trials,
        sentence=sentence,
    )
