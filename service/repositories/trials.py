"""Queries on trials and job members."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, TypeVarTuple, cast

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from recipes.trial import TrialCause, TrialPurpose, TrialState
from service.database.models import Curve, CurvePoint, JobMember, StepRun, Trial
from service.database.types import OPEN_TRIAL_STATES, UtcDateTime
from service.errors import NotFound

MAX_NUMBER = 2**31 - 1
Columns = TypeVarTuple("Columns")


class Member(NamedTuple):
    """A trial of a job, whether it goes on, and whether it was handed out before."""

    trial_id: int
    number: int
    state: TrialState
    has_begun: bool


class Count(NamedTuple):
    """Trials of a step run."""

    ended: int
    total: int


class Light(NamedTuple):
    """A trial's number and its hyperparameters, as JSON."""

    number: int
    params: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which of a study's trials a list has: all, or those for which each value given is so."""

    step: int | None = None
    round: int | None = None
    pass_number: int | None = None
    state: TrialState | None = None
    purpose: TrialPurpose | None = None

    def of(self, query: Select[*Columns], study_id: int) -> Select[*Columns]:
        """A query on trials, of these alone."""
        found = query.where(Trial.study_id == study_id)
        runs = (
            (StepRun.number, self.step),
            (StepRun.round, self.round),
            (StepRun.pass_number, self.pass_number),
        )
        if any(wanted is not None for _, wanted in runs):
            found = found.join(StepRun, StepRun.id == Trial.step_run_id)
        for column, wanted in (
            *runs,
            (Trial.state, self.state),
            (Trial.purpose, self.purpose),
        ):
            if wanted is not None:
                found = found.where(column == wanted)
        return found


class Order(StrEnum):
    """What a list can be ordered by in the database."""

    NUMBER = "number"
    VALUE = "value"
    RUNG = "rung"  # those that trained longest first, and those that came equally far by value


ALL = Chosen()
"""All of a study's trials."""


def open_members(session: Session, job_id: int) -> list[Member]:
    """A job's members whose part in it is not done, by trial number."""
    rows = session.execute(_OPEN_MEMBERS, {"of_job": job_id})
    return [Member._make(row) for row in rows]


# Made once, and changes of tables: with each job, making them took longer than SQLite's part.
_OPEN_MEMBERS = (
    select(Trial.id, Trial.number, Trial.state, Trial.started_at.is_not(None))
    .join(JobMember, JobMember.trial_id == Trial.id)
    .where(JobMember.job_id == bindparam("of_job"), JobMember.state.in_(OPEN_TRIAL_STATES))
    .order_by(Trial.number)
)


def start(session: Session, job_id: int, trial_ids: Sequence[int], now: datetime) -> None:
    """Mark trials and their membership as running."""
    session.execute(_START, {"of_trials": [*trial_ids], "now": now})
    session.execute(_START_MEMBERS, {"of_job": job_id})


_TRIALS, _MEMBERS = cast(Table, Trial.__table__), cast(Table, JobMember.__table__)
_START = (
    update(_TRIALS)
    .where(
        _TRIALS.c.id.in_(bindparam("of_trials", expanding=True)),
        _TRIALS.c.state == TrialState.WAITING,
    )
    .values(
        state=TrialState.RUNNING,
        started_at=func.coalesce(_TRIALS.c.started_at, bindparam("now", type_=UtcDateTime)),
    )
)
_START_MEMBERS = (
    update(_MEMBERS)
    .where(_MEMBERS.c.job_id == bindparam("of_job"), _MEMBERS.c.state == TrialState.WAITING)
    .values(state=TrialState.RUNNING)
)


def note_engine_reason(session: Session, trial_ids: Sequence[int], reason: str | None) -> None:
    """Note why trials are to train one by one though their run asks for company; None: they
    train as it says."""
    session.execute(
        update(Trial)
        .where(Trial.id.in_(trial_ids))
        .values(engine_reason=reason)
        .execution_options(synchronize_session=False)
    )


def cancel_open(session: Session, study_id: int, now: datetime) -> dict[int, int]:
    """Cancel a study's trials that have not ended; their keys by number."""
    rows = session.execute(
        update(Trial)
        .where(Trial.study_id == study_id, Trial.state.in_(OPEN_TRIAL_STATES))
        .values(state=TrialState.CANCELLED, cause=TrialCause.CANCELLED, ended_at=now)
        .returning(Trial.number, Trial.id)
        .execution_options(synchronize_session=False)
    ).all()
    trial_ids = select(Trial.id).where(Trial.study_id == study_id)
    session.execute(
        update(JobMember)
        .where(JobMember.trial_id.in_(trial_ids), JobMember.state.in_(OPEN_TRIAL_STATES))
        .values(state=TrialState.CANCELLED, cause=TrialCause.CANCELLED)
        .execution_options(synchronize_session=False)
    )
    return dict(sorted(rows))


def require(session: Session, study_id: int, number: int) -> tuple[Trial, StepRun]:
    """A trial and the step run it belongs to. Raises NotFound."""
    if 0 <= number <= MAX_NUMBER:
        row = session.execute(
            select(Trial, StepRun)
            .join(StepRun, StepRun.id == Trial.step_run_id)
            .where(Trial.study_id == study_id, Trial.number == number)
        ).first()
        if row is not None:
            return row[0], row[1]
    raise NotFound("trial", number)


def page(
    session: Session, study_id: int, *, after: int = -1, limit: int | None = None
) -> list[tuple[Trial, StepRun]]:
    """Trials of a study by rising number, those above ``after``."""
    query = (
        select(Trial, StepRun)
        .join(StepRun, StepRun.id == Trial.step_run_id)
        .where(Trial.study_id == study_id, Trial.number > after)
        .order_by(Trial.number)
        .limit(limit)
    )
    return [(trial, run) for trial, run in session.execute(query)]


def light(session: Session, study_id: int, chosen: Chosen = ALL) -> list[Light]:
    """A study's trials with their hyperparameters, by rising number."""
    query = chosen.of(select(Trial.number, Trial.params), study_id).order_by(Trial.number)
    return [Light._make(row) for row in session.execute(query)]


def ordered(
    session: Session,
    study_id: int,
    chosen: Chosen,
    order: Order,
    *,
    falls: bool,
    after: int | None,
    limit: int,
) -> Sequence[int]:
    """Numbers of some of a study's trials in an order, those behind one of them.

    Args:
        session: Any session.
        study_id: The study.
        chosen: Which.
        order: By what. Of equals the first made comes first; those without a value come last.
        falls: Whether downwards (for ``rung``: the highest value first in each).
        after: The number of the trial they come behind; None: from the first on.
        limit: Most of them.
    """
    query = chosen.of(select(Trial.number), study_id).limit(limit)
    if order is Order.NUMBER:
        if after is not None:
            query = query.where(Trial.number < after if falls else Trial.number > after)
        by_number = Trial.number.desc() if falls else Trial.number
        return session.scalars(query.order_by(by_number)).all()
    by_value = (Trial.value.is_(None), Trial.value.desc() if falls else Trial.value, Trial.number)
    by_rung = order is Order.RUNG
    if after is not None:
        anchor = session.execute(
            select(Trial.value, Trial.iterations).where(
                Trial.study_id == study_id, Trial.number == after
            )
        ).one_or_none()
        if anchor is None:
            return ()
        behind = _behind(anchor.value, after, falls=falls)
        if by_rung:
            is_equal = Trial.iterations == anchor.iterations
            behind = or_(Trial.iterations < anchor.iterations, and_(is_equal, behind))
        query = query.where(behind)
    rungs = (Trial.iterations.desc(),) if by_rung else ()
    return session.scalars(query.order_by(*rungs, *by_value)).all()


def _behind(value: float | None, number: int, *, falls: bool) -> ColumnElement[bool]:
    """Which trials come behind one in an order by value."""
    if value is None:
        return and_(Trial.value.is_(None), Trial.number > number)
    return or_(
        Trial.value < value if falls else Trial.value > value,
        and_(Trial.value == value, Trial.number > number),
        Trial.value.is_(None),
    )


def numbered(
    session: Session, study_id: int, numbers: Collection[int]
) -> dict[int, tuple[Trial, StepRun]]:
    """Some of a study's trials with their step runs, by number."""
    rows = session.execute(
        select(Trial, StepRun)
        .join(StepRun, StepRun.id == Trial.step_run_id)
        .where(Trial.study_id == study_id, Trial.number.in_(numbers))
    )
    return {trial.number: (trial, run) for trial, run in rows}


def of_step_runs(
    session: Session, study_id: int, step_run_ids: Collection[int], numbers: Collection[int]
) -> Sequence[Trial]:
    """All trials of some of a study's step runs and, of its others, those with some numbers.

    By number.
    """
    query = select(Trial).order_by(Trial.number)
    found = session.scalars(query.where(Trial.step_run_id.in_(step_run_ids))).all()
    if not numbers:
        return found
    others = query.where(Trial.study_id == study_id, Trial.number.in_(numbers))
    return sorted(
        {each.id: each for each in (*found, *session.scalars(others))}.values(),
        key=lambda each: each.number,
    )


def foremost(
    session: Session,
    study_id: int,
    step_run_ids: Collection[int],
    count: int,
    *,
    maximise: bool,
) -> set[int]:
    """Numbers of the best trials of some step runs, and of the first that ended without a value.

    Args:
        session: Any session.
        study_id: The study, by whose index of values they are found.
        step_run_ids: All together.
        count: Most of either kind.
        maximise: Whether a higher value is better. Of equals the first made comes first.
    """
    if not step_run_ids:
        return set()
    of_them = (Trial.study_id == study_id, Trial.step_run_id.in_(step_run_ids))
    query = select(Trial.number).where(*of_them).limit(count)
    order = Trial.value.desc() if maximise else Trial.value
    best = query.where(Trial.value.is_not(None)).order_by(order, Trial.number)
    without = query.where(Trial.value.is_(None), Trial.outcome.is_not(None)).order_by(Trial.number)
    return {*session.scalars(best), *session.scalars(without)}


def ids(session: Session, study_id: int, numbers: Collection[int]) -> dict[int, int]:
    """Keys of some of a study's trials, by number."""
    if not numbers:
        return {}
    rows = session.execute(
        select(Trial.number, Trial.id).where(Trial.study_id == study_id, Trial.number.in_(numbers))
    )
    return dict(rows.all())


def counts(session: Session, step_run_ids: Collection[int]) -> dict[int, Count]:
    """How many trials of some step runs there are and have ended, by the runs' keys."""
    rows = session.execute(
        select(Trial.step_run_id, Trial.state, func.count())
        .where(Trial.step_run_id.in_(step_run_ids))
        .group_by(Trial.step_run_id, Trial.state)
    )
    found = dict.fromkeys(step_run_ids, Count(0, 0))
    for step_run_id, state, number in rows:
        ended, total = found[step_run_id]
        found[step_run_id] = Count(ended + number * state.has_ended, total + number)
    return found


def last_iterations(session: Session, trial_ids: Iterable[int]) -> dict[int, int]:
    """The highest iteration reported of each trial."""
    rows = session.execute(
        select(Curve.trial_id, func.max(CurvePoint.iteration))
        .join(CurvePoint, CurvePoint.curve_id == Curve.id)
        .where(Curve.trial_id.in_(list(trial_ids)))
        .group_by(Curve.trial_id)
    )
    return dict(rows.all())
