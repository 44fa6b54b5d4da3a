"""Large studies: what judged steps came to, and indices for what is listed and added up.

A table and indices are added; two indices give way to longer ones with the same beginning.
Step runs that were judged before have no row in the table, and are added up as before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LONGER = (
    ("trial", ["step_run_id", "state"], ["iterations", "epoch_iterations"]),
    ("job", ["study_id"], ["step_run_id"]),
)
"""Table, columns of the index until now, columns that come behind them from now on."""
BY_VALUE = ["study_id", "value", "iterations", "number"]


def index(table: str, columns: list[str]) -> str:
    return op.f(f"ix_{table}_{'_'.join(columns)}")


def upgrade() -> None:
    op.create_table(
        "step_work",
        sa.Column("step_run_id", KEY, autoincrement=False, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("epochs", sa.Double(), nullable=False),
        sa.Column("trials", sa.Integer(), nullable=False),
        sa.Column("device_seconds", sa.Double(), nullable=False),
        sa.Column("memory", sa.Text()),
        sa.ForeignKeyConstraint(
            ["step_run_id"],
            ["step_run.id"],
            name=op.f("fk_step_work_step_run_id_step_run"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["study_id"],
            ["study.id"],
            name=op.f("fk_step_work_study_id_study"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("step_run_id", name=op.f("pk_step_work")),
    )
    op.create_index(index("step_work", ["study_id"]), "step_work", ["study_id"])
    op.create_index(index("trial", BY_VALUE), "trial", BY_VALUE)
    for table, before, more in LONGER:
        after = [*before, *more]
        op.create_index(index(table, after), table, after)
        op.drop_index(index(table, before), table_name=table)


def downgrade() -> None:
    for table, before, more in reversed(LONGER):
        after = [*before, *more]
        op.create_index(index(table, before), table, before)
        op.drop_index(index(table, after), table_name=table)
    op.drop_index(index("trial", BY_VALUE), table_name="trial")
    op.drop_table("step_work")
