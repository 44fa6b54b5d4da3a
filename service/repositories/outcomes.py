"""Queries on outcomes: how trials ended, or how far those came that wait at a rung."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, cast

from sqlalchemy import ColumnElement, Table, Text, bindparam, func, or_, update
from sqlalchemy.orm import Session

from recipes.outcome import MemberOutcome
from recipes.trial import TrialState
from service.database.models import JobMember, Trial
from service.database.statements import plain_text
from service.database.types import OPEN_TRIAL_STATES


class Recorded(NamedTuple):
    """An outcome, and the value by which a trial is compared (None: it has none)."""

    outcome: MemberOutcome
    value: float | None


def record(session: Session, outcomes: Mapping[int, Recorded], now: datetime) -> None:
    """Write how trials ended, or how far those came that wait at a rung.

    Those that have ended already keep their first outcome. A member's part in its job is
    done either way; one that waits leaves it ``complete`` without a cause.

    Args:
        session: A write session that holds the study's row.
        outcomes: By the trials' keys.
        now: When.
    """
    if not outcomes:
        return
    rows = [
        {
            "trial_key": trial_id,
            "new_state": outcome.state,
            "new_cause": outcome.cause,
            "new_outcome": outcome.model_dump_json(),
            "new_iterations": outcome.iterations,
            "new_value": value,
            "new_engine": outcome.engine,
            "new_engine_reason": plain_text(outcome.engine_reason),
            "now": now if outcome.state.has_ended else None,
        }
        for trial_id, (outcome, value) in outcomes.items()
    ]
    parts = [
        {
            "trial_key": trial_id,
            "new_state": outcome.state if outcome.state.has_ended else TrialState.COMPLETE,
            "new_cause": outcome.cause,
        }
        for trial_id, (outcome, _) in outcomes.items()
    ]
    connection = session.connection()
    connection.execute(_RECORD, rows)
    connection.execute(_RECORD_PARTS, parts)


# Made once, and of tables: with each job, making them took longer than SQLite's part.
_TRIALS, _MEMBERS = cast(Table, Trial.__table__), cast(Table, JobMember.__table__)


def _is_open(column: ColumnElement[TrialState]) -> ColumnElement[bool]:
    """The same as ``in_``, which a statement run with many parameter sets cannot hold."""
    return or_(*(column == state for state in OPEN_TRIAL_STATES))


_RECORD = (
    update(_TRIALS)
    .where(_TRIALS.c.id == bindparam("trial_key"), _is_open(_TRIALS.c.state))
    .values(
        state=bindparam("new_state"),
        cause=bindparam("new_cause"),
        outcome=bindparam("new_outcome"),
        iterations=bindparam("new_iterations"),
        value=bindparam("new_value"),
        # An outcome that does not say it leaves what an earlier one said.
        engine=func.coalesce(bindparam("new_engine", type_=Text), _TRIALS.c.engine),
        # Without a reason of the worker's, what was noted when the attempt was handed out.
        engine_reason=func.coalesce(
            bindparam("new_engine_reason", type_=Text), _TRIALS.c.engine_reason
        ),
        ended_at=bindparam("now"),
    )
)
_RECORD_PARTS = (
    update(_MEMBERS)
    .where(_MEMBERS.c.trial_id == bindparam("trial_key"), _is_open(_MEMBERS.c.state))
    .values(state=bindparam("new_state"), cause=bindparam("new_cause"))
)
