"""Use cases on trials: lists, one with its attempts, curves and findings."""

from __future__ import annotations

import json

from sqlalchemy.orm import Session

from recipes.finding import Finding
from recipes.outcome import MemberOutcome
from recipes.trial import TrialState
from service import cursors
from service.database.models import StepRun, Trial
from service.repositories import attempts, step_runs, studies
from service.repositories import curves as curve_repository
from service.repositories import trials as repository
from service.views import (
    AttemptView,
    CurvesView,
    CurveView,
    EvaluationView,
    MetricView,
    TrialPage,
    TrialSummary,
    TrialView,
)


def list_trials(
    session: Session,
    uid: str,
    *,
    step: int | None = None,
    state: TrialState | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> TrialPage:
    """A study's trials by number.

    Raises:
        NotFound: There is no such study.
        InvalidInput: ``limit`` or ``cursor`` does not fit.
    """
    cursors.check_limit(limit)
    position = cursors.decode("trials", cursor)
    found = repository.page(
        session,
        studies.require_id(session, uid),
        step=step,
        state=state,
        after=-1 if position is None else position,
        limit=limit + 1,
    )
    shown = found[:limit]
    return TrialPage(
        items=tuple(_summary(trial, run) for trial, run in shown),
        next_cursor=(
            cursors.encode("trials", shown[-1][0].number) if len(found) > limit else None
        ),
    )


def get_trial(session: Session, uid: str, number: int) -> TrialView:
    """One trial with its attempts. Raises NotFound."""
    trial, run = repository.require(session, studies.require_id(session, uid), number)
    outcome = _outcome(trial)
    tries = [
        AttemptView(
            id=attempt.uid,
            number=attempt.number,
            state=attempt.state,
            worker=worker,
            resume_iteration=resume_iteration,
            cause=attempt.cause,
            error=attempt.error,
            traceback=attempt.traceback,
            queued_at=attempt.queued_at,
            started_at=attempt.started_at,
            ended_at=attempt.ended_at,
        )
        for attempt, worker, resume_iteration in attempts.of_trial(session, trial.id)
    ]
    return TrialView(
        **dict(_summary(trial, run)),
        attempts=tuple(tries),
        switched_off=outcome.switched_off if outcome else (),
    )


def curves(session: Session, uid: str, number: int) -> CurvesView:
    """A trial's effective curves. Raises NotFound."""
    trial, _ = repository.require(session, studies.require_id(session, uid), number)
    found = curve_repository.effective(session, [trial.id]).get(trial.id, {})
    return CurvesView(
        trial=number,
        curves=tuple(
            CurveView(metric=metric, split=split, iterations=curve.iterations, values=curve.values)
            for (metric, split), curve in sorted(found.items())
        ),
    )


def findings(session: Session, uid: str) -> list[Finding]:
    """A study's findings, in the order they were made. Raises NotFound."""
    return step_runs.findings(session, studies.require_id(session, uid))


def summaries(session: Session, study_id: int) -> list[TrialSummary]:
    """All trials of a study, for its report."""
    return [_summary(trial, run) for trial, run in repository.page(session, study_id)]


def _outcome(trial: Trial) -> MemberOutcome | None:
    return None if trial.outcome is None else MemberOutcome.model_validate_json(trial.outcome)


def _summary(trial: Trial, run: StepRun) -> TrialSummary:
    outcome = _outcome(trial)
    return TrialSummary(
        number=trial.number,
        step=run.number,
        round=run.round,
        pass_number=run.pass_number,
        purpose=trial.purpose,
        label=trial.label,
        params=json.loads(trial.params),
        seed=trial.seed,
        data_seed=trial.data_seed,
        state=trial.state,
        cause=trial.cause,
        message=outcome.message if outcome else None,
        iterations=outcome.iterations if outcome else None,
        seconds=outcome.seconds if outcome else None,
        evaluations=_evaluations(outcome) if outcome else (),
        started_at=trial.started_at,
        ended_at=trial.ended_at,
    )


def _evaluations(outcome: MemberOutcome) -> tuple[EvaluationView, ...]:
    return tuple(
        EvaluationView(
            split=evaluation.split,
            iteration=evaluation.iteration,
            metrics={
                name: MetricView(mean=m.mean, standard_error=m.standard_error, n=m.n)
                for name, m in evaluation.metrics.items()
            },
        )
        for evaluation in outcome.evaluations
    )
