"""Statements whose spelling differs between SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, ColumnElement, cast, type_coerce
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.database.base import Base


def insert_new(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose key is not there yet; leave the others as they are.

    Returns:
        How many were inserted.
    """
    if not rows:
        return 0
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    # Counted by what comes back: psycopg knows no row count for many parameter sets.
    key = next(iter(table.__table__.primary_key))
    statement = insert(table).on_conflict_do_nothing().returning(key)
    return len(session.execute(statement, list(rows)).all())


def insert_new_points(
    session: Session,
    curve_ids: Sequence[int],
    iterations: Sequence[int],
    values: Sequence[float | None],
    kinds: Sequence[str],
) -> int:
    """Insert the curve points that are not there yet; leave the others as they are.

    By columns, and past the ORM: points are what there is most of. SQLite takes a row at a
    time at no cost in between, Postgres all of them as arrays in one round trip.

    Returns:
        How many were inserted.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        rows = list(zip(curve_ids, iterations, values, kinds, strict=True))
        return connection.exec_driver_sql(_ADD_POINTS_SQLITE, rows).rowcount
    arrays = (
        _array(map(str, curve_ids)),
        _array(map(str, iterations)),
        _array("NULL" if value is None else repr(value) for value in values),
        _array(kinds),
    )
    return connection.exec_driver_sql(_ADD_POINTS_POSTGRES, arrays).rowcount


_ADD_POINTS_SQLITE = (
    "INSERT INTO curve_point (curve_id, iteration, value, kind) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
_ADD_POINTS_POSTGRES = (
    "INSERT INTO curve_point (curve_id, iteration, value, kind)"
    " SELECT * FROM unnest("
    "CAST(%s AS bigint[]), CAST(%s AS integer[]), CAST(%s AS float8[]), CAST(%s AS text[]))"
    " ON CONFLICT DO NOTHING"
)


def _array(items: Iterable[str]) -> str:
    """A Postgres array's text. Its items need no quotes: numbers, NULL, and our own words."""
    return "{" + ",".join(items) + "}"


def plain_text(text: str | None) -> str | None:
    """Text as every database takes it: Postgres refuses NUL characters."""
    return None if text is None else text.replace("\x00", "\\x00")


def json_text(
    session: Session, column: InstrumentedAttribute[str], key: str
) -> ColumnElement[str]:
    """A field of a JSON object that a column holds as text, itself as text."""
    # SQLite takes text as JSON as it is; a cast there would make a number of it.
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    stored = type_coerce(column, JSON) if is_sqlite else cast(column, JSON)
    found: ColumnElement[str] = stored[key].as_string()
    return found
