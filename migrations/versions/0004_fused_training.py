"""Fused training: why a trial trained alone where its run asked for company.

A column is only added. How a trial was trained stood in ``engine`` from the beginning.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trial", sa.Column("engine_reason", sa.Text()))


def downgrade() -> None:
    op.drop_column("trial", "engine_reason")
