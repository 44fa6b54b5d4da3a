"""Ends an attempt, and decides in the same transaction what follows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from recipes.description import TaskProblem
from recipes.outcome import MemberOutcome
from recipes.run import JobKind
from recipes.study import StudyState
from recipes.trial import TrialState
from recipes.wire import AttemptState
from service import events
from service.clock import utc_now
from service.database.models import Study
from service.database.statements import plain_text
from service.repositories import attempts, jobs, step_runs, studies, trials
from service.repositories.attempts import Held
from service.retry import CRASHED, Ending, GiveUp, Retry, after
from service.settings import Settings

LOST_STATES = (AttemptState.LOST, AttemptState.PREEMPTED, AttemptState.CANCELLED)


def end_attempt(
    session: Session, study: Study, held: Held, ending: Ending, *, settings: Settings
) -> None:
    """End a held attempt: queue the next one, or end what is left of its job.

    Members that ended before keep their results. The caller holds the study's row and has
    checked that the attempt is held.
    """
    now = utc_now()
    attempts.end(
        session,
        held,
        ending.state,
        now=now,
        cause=ending.cause,
        error=plain_text(ending.message),
        traceback=plain_text(ending.traceback),
    )
    members = trials.open_members(session, held.job_id)
    is_described = held.kind is JobKind.DESCRIBE and study.description is not None
    events.publish_on_commit(session, events.CONDUCTOR)
    if is_described or (held.kind is JobKind.TRAIN and not members):
        jobs.end(session, held.job_id, TrialState.COMPLETE, now)
        return
    decision = _decide(session, study, held, ending, settings)
    if isinstance(decision, Retry):
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
            fail_study(session, study, reason, now, problem=problem)
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
        )
        for member in members
    }
    trials.end(session, outcomes, now)
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
    attempts.cancel_all(session, study.id, now)
    jobs.cancel_open(session, study.id, now)
    cancelled = trials.cancel_open(session, study.id, now)
    if cancelled:
        events.append(session, study.id, "trial", {"numbers": cancelled})
    step_runs.stop_running(session, study.id, now)
    studies.change(
        session,
        study.id,
        state=StudyState.FAILED,
        reason=plain_text(reason),
        problem=None if problem is None else problem.model_dump_json(),
        finished_at=now,
    )
    events.append(session, study.id, "study", {"state": StudyState.FAILED.value})


def _decide(
    session: Session, study: Study, held: Held, ending: Ending, settings: Settings
) -> Retry | GiveUp:
    ended = attempts.count_ended(session, held.job_id)
    return after(
        ending,
        is_active=not study.state.has_ended,
        num_crashed=ended.get((AttemptState.FAILED, CRASHED), 0),
        num_lost=sum(number for (state, _), number in ended.items() if state in LOST_STATES),
        max_attempt_failures=settings.max_attempt_failures,
        max_lost_attempts=settings.max_lost_attempts,
    )
