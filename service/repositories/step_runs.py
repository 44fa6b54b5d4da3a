"""Queries on step runs and findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from recipes.finding import Finding as FindingValue
from recipes.step import StepKind, StepReport, StepState
from service.database.models import Finding, StepRun
from service.repositories.stored import report_of


def of_study(session: Session, study_id: int) -> Sequence[StepRun]:
    """A study's step runs, oldest first."""
    return session.scalars(_OF_STUDY, {"of_study": study_id}).all()


# Made once: with each decision, making it took longer than SQLite's part.
_OF_STUDY = select(StepRun).where(StepRun.study_id == bindparam("of_study")).order_by(StepRun.id)


def latest(session: Session, study_ids: Iterable[int]) -> dict[int, StepRun]:
    """The newest step run of each of some studies, in one query."""
    newest = (
        select(func.max(StepRun.id))
        .where(StepRun.study_id.in_(list(study_ids)))
        .group_by(StepRun.study_id)
    )
    rows = session.scalars(select(StepRun).where(StepRun.id.in_(newest)))
    return {run.study_id: run for run in rows}


def next_pass(session: Session, study_id: int, number: int, round: int) -> int:
    """The pass that another run of a step in a round gets, stale runs counted in."""
    last = session.scalar(
        select(func.max(StepRun.pass_number)).where(
            StepRun.study_id == study_id, StepRun.number == number, StepRun.round == round
        )
    )
    return (last or 0) + 1


def stop_running(session: Session, study_id: int, now: datetime) -> Sequence[StepRun]:
    """End a study's running step without a verdict: no more will be measured for it."""
    return session.scalars(
        update(StepRun)
        .where(StepRun.study_id == study_id, StepRun.state == StepState.RUNNING)
        .values(state=StepState.INCONCLUSIVE, finished_at=now)
        .returning(StepRun)
        .execution_options(populate_existing=True)
    ).all()


def say(session: Session, run_id: int, plan: str) -> None:
    """Note what a step run has planned, in a sentence."""
    session.execute(
        update(StepRun)
        .where(StepRun.id == run_id)
        .values(plan=plan)
        .execution_options(synchronize_session=False)
    )


def finish(session: Session, run_id: int, report: StepReport, now: datetime) -> None:
    """Write a step run's verdict."""
    session.execute(
        update(StepRun)
        .where(StepRun.id == run_id)
        .values(state=report.state, report=report.model_dump_json(), finished_at=now)
        .execution_options(synchronize_session=False)
    )


def write_report(session: Session, run_id: int, report: StepReport) -> None:
    """Write a report over the one that a step run has: a person decided something on it."""
    session.execute(
        update(StepRun)
        .where(StepRun.id == run_id)
        .values(state=report.state, report=report.model_dump_json())
        .execution_options(synchronize_session=False)
    )


def make_stale(session: Session, runs: Iterable[StepRun]) -> None:
    """Mark step runs as of a task that has changed since."""
    for run in runs:
        if run.report is not None:
            stale = {"state": StepState.STALE}
            write_report(session, run.id, report_of(run.report).model_copy(update=stale))
        else:
            session.execute(
                update(StepRun)
                .where(StepRun.id == run.id)
                .values(state=StepState.STALE)
                .execution_options(synchronize_session=False)
            )


def place(run: StepRun) -> dict[str, int | str]:
    """Which run of which step this is, and where it is, as its event says."""
    return {
        "number": run.number,
        "round": run.round,
        "pass": run.pass_number,
        "state": run.state.value,
    }


def judged(runs: Iterable[StepRun]) -> list[StepReport]:
    """The reports of those that were judged and are not stale, in their order."""
    return [
        report_of(run.report)
        for run in runs
        if run.report is not None and run.state is not StepState.STALE
    ]


def view(run: StepRun) -> StepReport:
    """A step as it is answered: its report, or as much of it as there is."""
    if run.report is not None:
        return report_of(run.report)
    return StepReport(
        number=run.number,
        kind=kind_of(run.number),
        round=run.round,
        pass_number=run.pass_number,
        state=run.state,
        sentence=run.plan or "",
        started_at=run.started_at,
        finished_at=run.finished_at,
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
    """A study's findings, in the order they were made; those of stale steps left out."""
    return [finding for _, finding in findings_after(session, study_id, 0, None)]


def findings_after(
    session: Session, study_id: int, after: int, limit: int | None
) -> list[tuple[int, FindingValue]]:
    """The same with their keys, those above ``after``, at most ``limit``."""
    rows = session.execute(
        select(Finding.id, Finding.body)
        .join(StepRun, StepRun.id == Finding.step_run_id)
        .where(Finding.study_id == study_id, Finding.id > after, StepRun.state != StepState.STALE)
        .order_by(Finding.id)
        .limit(limit)
    )
    return [(key, FindingValue.model_validate_json(body)) for key, body in rows]
