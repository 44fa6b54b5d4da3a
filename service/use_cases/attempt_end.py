"""Ends an attempt, and decides in the same transaction what follows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from recipes.description import TaskProblem
from recipes.outcome import MemberOutcome
from recipes.run import JobKind, RunSpec
from recipes.study import StudyState
from recipes.trial import TrialState
from recipes.wire import AttemptState
from service.clock import database_now
from service.database.models import Study
from service.database.statements import plain_text
from service.repositories import attempts, jobs, step_runs, step_work, studies, trials
from service.repositories.attempts import Held
from service.settings import Settings
from service.streams import events
from service.use_cases import fallback
from service.use_cases.artifacts import forget_checkpoints
from service.use_cases.points import record
from service.use_cases.retry import CHECKPOINT_GONE, Ending, GiveUp, Retry, after

LOST_STATES = (AttemptState.LOST, AttemptState.CANCELLED)


def end_attempt(
    session: Session, study: Study, held: Held, ending: Ending, *, settings: Settings
) -> None:
    """End a held attempt: queue the next one, or end what is left of its job.

    Members that ended before keep their results. The caller holds the study's row and has
    checked that the attempt is held.
    """
    now = database_now(session)
    seconds = attempts.end(
        session,
        held,
        ending.state,
        now=now,
        cause=ending.cause,
        error=plain_text(ending.message),
        traceback=plain_text(ending.traceback),
    )
    if held.step_run_id is not None:
        step_work.add_seconds(session, held.step_run_id, seconds)
    members = trials.open_members(session, held.job_id)
    is_described = held.kind is JobKind.DESCRIBE and ending.state is AttemptState.SUCCEEDED
    events.publish_on_commit(session, events.CONDUCTOR)
    if is_described or (held.kind is JobKind.TRAIN and not members):
        jobs.end(session, held.job_id, TrialState.COMPLETE, now)
        return
    was_together = _was_to_train_together(session, held)
    decision = _decide(session, study, held, ending, settings, was_together=was_together)
    if isinstance(decision, Retry):
        if ending.cause == CHECKPOINT_GONE:
            forget_checkpoints(session, [member.trial_id for member in members])
        attempts.queue(
            session, [held.job_id], number=held.number + 1, fence=held.fence + 1, now=now
        )
        events.publish_on_commit(session, events.JOBS)
        return
    jobs.end(session, held.job_id, decision.state, now)
    problem = ending.problem
    if held.kind is JobKind.DESCRIBE:
        if not study.state.has_ended:
            reason = problem.message if problem else f"describe failed: {decision.message}"
            if study.rerun_from is None:
                fail_study(session, study, reason, now, problem=problem)
            else:
                _wait_for_another_rerun(session, study, reason, problem)
        return
    iterations = trials.last_iterations(session, [member.trial_id for member in members])
    outcomes = {
        member.trial_id: MemberOutcome(
            trial=member.number,
            state=decision.state,
            cause=decision.cause,
            iterations=iterations.get(member.trial_id, 0),
            seconds=0.0,
            message=decision.message,
            # A worker may have trained one by one what was to train together, and did not come
            # to say so.
            engine=None if was_together else "plain",
            num_together=None if was_together else 1,
        )
        for member in members
    }
    record(session, study, outcomes, now)
    numbers = [member.number for member in members]
    events.append(session, study.id, "trial", {"numbers": numbers})
    if problem is not None and not study.state.has_ended:
        # The task was edited or cannot be loaded any more: no other job would fare better.
        fail_study(session, study, problem.message, now, problem=problem)


def fail_study(
    session: Session,
    study: Study,
    reason: str,
    now: datetime,
    *,
    problem: TaskProblem | None = None,
) -> None:
    """End a study that cannot go on, and what of it is still open. Its row is held."""
    stop_work(session, study.id, now)
    studies.change(
        session,
        study.id,
        state=StudyState.FAILED,
        reason=plain_text(reason),
        problem=None if problem is None else problem.model_dump_json(),
        finished_at=now,
    )
    events.append(session, study.id, "study", {"state": StudyState.FAILED.value})


def stop_work(session: Session, study_id: int, now: datetime) -> None:
    """Cancel what of a study is still open, whose row is held.

    Its running step ends without a verdict; workers that train for it hear of it with their
    next heartbeat, and nothing is tried again.
    """
    attempts.cancel_all(session, study_id, now)
    jobs.cancel_open(session, study_id, now)
    cancelled = trials.cancel_open(session, study_id, now)
    forget_checkpoints(session, cancelled.values())
    if cancelled:
        events.append(session, study_id, "trial", {"numbers": list(cancelled)})
    for run in step_runs.stop_running(session, study_id, now):
        events.append(session, study_id, "step", step_runs.place(run))


def _wait_for_another_rerun(
    session: Session, study: Study, reason: str, problem: TaskProblem | None
) -> None:
    """The task was changed so that it cannot be used: its person changes it once more."""
    studies.change(
        session,
        study.id,
        state=StudyState.NEEDS_ACTION,
        reason=plain_text(reason),
        problem=None if problem is None else problem.model_dump_json(),
        rerun_from=None,
    )
    events.append(session, study.id, "study", {"state": StudyState.NEEDS_ACTION.value})


def _was_to_train_together(session: Session, held: Held) -> bool:
    """Whether an ended attempt was to train several members at a time."""
    text = jobs.run_of(session, held.job_id)
    if text is None:
        return False
    run = RunSpec.model_validate_json(text)
    if fallback.reason_to_part(session, run, held.job_id, held.number) is not None:
        return False
    return min(run.fuse, len(attempts.members(session, held.attempt_id))) > 1


def _decide(
    session: Session,
    study: Study,
    held: Held,
    ending: Ending,
    settings: Settings,
    *,
    was_together: bool,
) -> Retry | GiveUp:
    ended = attempts.count_ended(session, held.job_id)
    return after(
        ending,
        is_active=not study.state.has_ended,
        num_crashed=ended.get((AttemptState.FAILED, ending.cause), 0),
        num_lost=sum(number for (state, _), number in ended.items() if state in LOST_STATES),
        max_attempt_failures=settings.max_attempt_failures,
        max_lost_attempts=settings.max_lost_attempts,
        was_together=was_together,
    )
