"""The base of the tables: names for every constraint, so that migrations can drop them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Key = BigInteger().with_variant(Integer(), "sqlite")
"""Surrogate keys: SQLite counts up by itself only in a column of type INTEGER."""


class Base(DeclarativeBase):
    """The base of the tables. There are no relationships: queries say what they load."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
