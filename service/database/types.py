"""Column types that mean the same on SQLite and Postgres."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import DateTime, Dialect, Enum
from sqlalchemy.types import TypeDecorator

from recipes.trial import TrialState


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. Refuses a datetime without a zone; SQLite would drop the zone silently."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database, in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def text_enum(kind: type[StrEnum], name: str) -> Enum:
    """A column that holds an enum's values as text, with a CHECK constraint.

    SQLAlchemy's own default would store the members' Python names.
    """
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda members: [member.value for member in members],
        validate_strings=True,
    )


class NumberKind(StrEnum):
    """What a stored number is. SQLite keeps NaN as NULL, so the kind tells them apart."""

    FINITE = "finite"
    NAN = "nan"
    POS_INF = "pos_inf"
    NEG_INF = "neg_inf"


def to_columns(value: float) -> tuple[float | None, NumberKind]:
    """A float as a nullable finite float and its kind."""
    if math.isfinite(value):
        return value, NumberKind.FINITE
    if math.isnan(value):
        return None, NumberKind.NAN
    return None, NumberKind.POS_INF if value > 0 else NumberKind.NEG_INF


_NON_FINITE = {
    NumberKind.NAN: math.nan,
    NumberKind.POS_INF: math.inf,
    NumberKind.NEG_INF: -math.inf,
}


def from_columns(value: float | None, kind: NumberKind) -> float:
    """The float that ``to_columns`` took apart."""
    if kind is NumberKind.FINITE:
        assert value is not None
        return value
    return _NON_FINITE[kind]


OPEN_TRIAL_STATES = tuple(state for state in TrialState if not state.has_ended)
"""Trials, members and jobs that have not ended."""
