"""Queries on step runs and findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from recipes.finding import Finding as FindingValue
from recipes.step import StepKind, StepReport, StepState
from service.database.models import Finding, StepRun


def of_study(session: Session, study_id: int) -> Sequence[StepRun]:
    """A study's step runs, oldest first."""
    return session.scalars(
        select(StepRun).where(StepRun.study_id == study_id).order_by(StepRun.id)
    ).all()


def latest(session: Session, study_ids: Iterable[int]) -> dict[int, StepRun]:
    """The newest step run of each of some studies, in one query."""
    rows = session.scalars(
        select(StepRun).where(StepRun.study_id.in_(list(study_ids))).order_by(StepRun.id)
    )
    return {run.study_id: run for run in rows}


def stop_running(session: Session, study_id: int, now: datetime) -> None:
    """End a study's running step without a verdict: the study has failed."""
    session.execute(
        update(StepRun)
        .where(StepRun.study_id == study_id, StepRun.state == StepState.RUNNING)
        .values(state=StepState.INCONCLUSIVE, finished_at=now)
        .execution_options(synchronize_session=False)
    )


def judged(runs: Iterable[StepRun]) -> list[StepReport]:
    """The reports of those that were judged."""
    return [StepReport.model_validate_json(run.report) for run in runs if run.report is not None]


def view(run: StepRun) -> StepReport:
    """A step as it is answered: its report, or as much of it as there is."""
    if run.report is not None:
        return StepReport.model_validate_json(run.report)
    return StepReport(
        number=run.number,
        kind=kind_of(run.number),
        round=run.round,
        pass_number=run.pass_number,
        state=run.state,
        sentence=run.plan or "",
        started_at=run.started_at,
    )


def kind_of(number: int) -> StepKind:
    """The kind of step ``number``."""
    return list(StepKind)[number - 1]


def add_findings(
    session: Session,
    *,
    study_id: int,
    step_run_id: int,
    findings: Iterable[FindingValue],
    trial_ids: Mapping[int, int],
) -> None:
    """Write a step's findings.

    Args:
        session: A write session.
        study_id: The study's key.
        step_run_id: The key of the step run they belong to.
        findings: In the order of the report.
        trial_ids: Keys of trials by number, for findings on one trial.
    """
    rows = [
        {
            "study_id": study_id,
            "step_run_id": step_run_id,
            "trial_id": None if finding.trial is None else trial_ids.get(finding.trial),
            "code": finding.code,
            "severity": finding.severity,
            "body": finding.model_dump_json(),
        }
        for finding in findings
    ]
    if rows:
        session.execute(insert(Finding), rows)


def findings(session: Session, study_id: int) -> list[FindingValue]:
    """A study's findings, in the order they were made."""
    bodies = session.scalars(
        select(Finding.body).where(Finding.study_id == study_id).order_by(Finding.id)
    )
    return [FindingValue.model_validate_json(body) for body in bodies]
