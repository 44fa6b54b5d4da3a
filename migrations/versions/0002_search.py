"""The search: budgets, rungs, snapshots, and what a person may decide.

Columns are only added, so every row keeps what it holds. What the trials of before spent is
not known: their iterations count as none, and their studies have no budget.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def seconds(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=False, server_default="0")


def count(name: str, start: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default=start)


def added() -> list[tuple[str, sa.Column[Any]]]:
    return [
        ("study", sa.Column("result", sa.Text())),
        ("study", seconds("active_seconds")),
        ("study", sa.Column("active_since", MOMENT)),
        ("study", sa.Column("rerun_from", KEY)),
        ("step_run", seconds("active_seconds_before")),
        ("trial", count("iterations", "0")),
        ("trial", count("epoch_iterations", "1")),
        ("trial", sa.Column("value", sa.Double())),
        ("attempt", seconds("seconds")),
        ("worker", sa.Column("has_died", sa.Boolean(), nullable=False, server_default=sa.false())),
    ]


def upgrade() -> None:
    for table, column in added():
        op.add_column(table, column)


def downgrade() -> None:
    for table, column in reversed(added()):
        op.drop_column(table, column.name)
