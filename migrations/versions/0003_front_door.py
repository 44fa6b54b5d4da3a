"""The front door: scoped tokens, tokens for one attempt, and answers kept for repeated posts.

A browser's session was a scope; now it is a token that has the scope of the one it was
opened with. Sessions of before may do what they could: read, and write through the pages.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("token") as token:
        token.add_column(
            sa.Column("is_session", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        token.add_column(sa.Column("opened_by_id", KEY))
        token.create_foreign_key(
            op.f("fk_token_opened_by_id_token"),
            "token",
            ["opened_by_id"],
            ["id"],
            ondelete="CASCADE",
        )
        token.create_index(op.f("ix_token_opened_by_id"), ["opened_by_id"])
    op.execute("UPDATE token SET is_session = true, scope = 'write' WHERE scope = 'session'")
    op.add_column("attempt", sa.Column("token_sha256", sa.String(64)))
    op.create_index(op.f("ix_attempt_token_sha256"), "attempt", ["token_sha256"])
    op.create_table(
        "kept_answer",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("owner", "key", name=op.f("uq_kept_answer_owner_key")),
    )
    op.create_index(op.f("ix_kept_answer_created_at"), "kept_answer", ["created_at"])


def downgrade() -> None:
    op.drop_table("kept_answer")
    op.drop_index(op.f("ix_attempt_token_sha256"), "attempt")
    op.drop_column("attempt", "token_sha256")
    # The release before knows tokens of scope admin and worker, and sessions that may do what a
    # write session may. A read session would gain by becoming one; what a token opened goes
    # with it, as it would by its deletion.
    op.execute(
        "DELETE FROM token WHERE is_session AND (scope <> 'write' OR opened_by_id IN"
        " (SELECT id FROM token WHERE scope NOT IN ('admin', 'worker')))"
    )
    op.execute("DELETE FROM token WHERE NOT is_session AND scope NOT IN ('admin', 'worker')")
    op.execute("UPDATE token SET scope = 'session' WHERE is_session")
    with op.batch_alter_table("token") as token:
        token.drop_constraint(op.f("fk_token_opened_by_id_token"), type_="foreignkey")
        token.drop_index(op.f("ix_token_opened_by_id"))
        token.drop_column("opened_by_id")
        token.drop_column("is_session")
