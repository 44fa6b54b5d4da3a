"""The first tables: studies, steps, trials, jobs, attempts, curves, workers, tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
TRIAL_STATES = "waiting running complete pruned failed cancelled"
TRIAL_CAUSES = "finished diverged non_finite early_discard error out_of_memory lost cancelled"
TABLES = (
    "study token worker event step_run job trial attempt finding job_member artifact curve"
    " attempt_member curve_point"
)


def text_enum(name: str, values: str) -> sa.Enum:
    return sa.Enum(
        *values.split(), name=name, native_enum=False, create_constraint=True, length=32
    )


def upgrade() -> None:
    op.create_table(
        "study",
        sa.Column("id", KEY, nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            text_enum("state", "pending running needs_action paused completed failed cancelled"),
            nullable=False,
        ),
        sa.Column("reason", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("problem", sa.Text()),
        sa.Column("space", sa.Text()),
        sa.Column("digest", sa.String(length=128)),
        sa.Column("num_trials", sa.Integer(), nullable=False),
        sa.Column("num_events", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_study"),
        sa.UniqueConstraint("uid", name="uq_study_uid"),
    )
    op.create_index("ix_study_state", "study", ["state"])

    op.create_table(
        "token",
        sa.Column("id", KEY, nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        sa.UniqueConstraint("sha256", name="uq_token_sha256"),
        sa.UniqueConstraint("uid", name="uq_token_uid"),
    )
    op.create_table(
        "worker",
        sa.Column("id", KEY, nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("devices", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("registered_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("gone_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_worker"),
        sa.UniqueConstraint("uid", name="uq_worker_uid"),
    )
    op.create_index("ix_worker_gone_at_seen_at", "worker", ["gone_at", "seen_at"])

    op.create_table(
        "event",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name="fk_event_study_id_study", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.UniqueConstraint("study_id", "sequence", name="uq_event_study_id_sequence"),
    )
    op.create_table(
        "step_run",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("pass", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            text_enum("state", "pending running passed warning failed inconclusive skipped stale"),
            nullable=False,
        ),
        sa.Column("task_digest", sa.String(length=128)),
        sa.Column("plan", sa.Text()),
        sa.Column("report", sa.Text()),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name="fk_step_run_study_id_study", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_step_run"),
        sa.UniqueConstraint(
            "study_id", "number", "round", "pass", name="uq_step_run_study_id_number_round_pass"
        ),
    )
    op.create_table(
        "job",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("step_run_id", KEY),
        sa.Column("kind", text_enum("kind", "describe train"), nullable=False),
        sa.Column("run", sa.Text()),
        sa.Column(
            "state",
            text_enum("state", TRIAL_STATES),
            nullable=False,
        ),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.ForeignKeyConstraint(
            ["step_run_id"],
            ["step_run.id"],
            name="fk_job_step_run_id_step_run",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name="fk_job_study_id_study", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
    )
    op.create_index("ix_job_step_run_id_state", "job", ["step_run_id", "state"])
    op.create_index("ix_job_study_id", "job", ["study_id"])

    op.create_table(
        "trial",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("step_run_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "purpose",
            text_enum("purpose", "check search probe repeat final"),
            nullable=False,
        ),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("data_seed", sa.Integer(), nullable=False),
        sa.Column("engine", sa.String(length=32), nullable=False),
        sa.Column(
            "state",
            text_enum("state", TRIAL_STATES),
            nullable=False,
        ),
        sa.Column(
            "cause",
            text_enum("cause", TRIAL_CAUSES),
        ),
        sa.Column("outcome", sa.Text()),
        sa.Column("started_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.ForeignKeyConstraint(
            ["step_run_id"],
            ["step_run.id"],
            name="fk_trial_step_run_id_step_run",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name="fk_trial_study_id_study", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_trial"),
        sa.UniqueConstraint("study_id", "number", name="uq_trial_study_id_number"),
    )
    op.create_index("ix_trial_step_run_id_state", "trial", ["step_run_id", "state"])
    op.create_index("ix_trial_study_id_state", "trial", ["study_id", "state"])

    op.create_table(
        "attempt",
        sa.Column("id", KEY, nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            text_enum(
                "state", "queued running stopping succeeded failed preempted lost cancelled"
            ),
            nullable=False,
        ),
        sa.Column("worker_id", KEY),
        sa.Column("slot", sa.Integer()),
        sa.Column("lease_expires_at", MOMENT),
        sa.Column("heard_at", MOMENT),
        sa.Column("queued_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("cause", sa.String(length=32)),
        sa.Column("error", sa.Text()),
        sa.Column("traceback", sa.Text()),
        sa.ForeignKeyConstraint(
            ["job_id"], ["job.id"], name="fk_attempt_job_id_job", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["worker_id"], ["worker.id"], name="fk_attempt_worker_id_worker"),
        sa.PrimaryKeyConstraint("id", name="pk_attempt"),
        sa.UniqueConstraint("job_id", "number", name="uq_attempt_job_id_number"),
        sa.UniqueConstraint("uid", name="uq_attempt_uid"),
    )
    op.create_index("ix_attempt_state_id", "attempt", ["state", "id"])
    op.create_index("ix_attempt_state_lease_expires_at", "attempt", ["state", "lease_expires_at"])
    op.create_index("ix_attempt_worker_id_state", "attempt", ["worker_id", "state"])

    op.create_table(
        "finding",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("step_run_id", KEY, nullable=False),
        sa.Column("trial_id", KEY),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("severity", text_enum("severity", "info warning error"), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["step_run_id"],
            ["step_run.id"],
            name="fk_finding_step_run_id_step_run",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name="fk_finding_study_id_study", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["trial.id"], name="fk_finding_trial_id_trial", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_finding"),
    )
    op.create_index("ix_finding_step_run_id", "finding", ["step_run_id"])
    op.create_index("ix_finding_study_id", "finding", ["study_id"])
    op.create_index("ix_finding_trial_id", "finding", ["trial_id"])

    op.create_table(
        "job_member",
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("trial_id", KEY, nullable=False),
        sa.Column(
            "state",
            text_enum("state", TRIAL_STATES),
            nullable=False,
        ),
        sa.Column(
            "cause",
            text_enum("cause", TRIAL_CAUSES),
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["job.id"], name="fk_job_member_job_id_job", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["trial.id"], name="fk_job_member_trial_id_trial", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "trial_id", name="pk_job_member"),
    )
    op.create_index("ix_job_member_trial_id", "job_member", ["trial_id"])

    op.create_table(
        "artifact",
        sa.Column("id", KEY, nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("attempt_id", KEY, nullable=False),
        sa.Column("trial_id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["attempt.id"],
            name="fk_artifact_attempt_id_attempt",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name="fk_artifact_study_id_study", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["trial.id"], name="fk_artifact_trial_id_trial", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_artifact"),
        sa.UniqueConstraint(
            "attempt_id",
            "trial_id",
            "kind",
            "epoch",
            name="uq_artifact_attempt_id_trial_id_kind_epoch",
        ),
        sa.UniqueConstraint("uid", name="uq_artifact_uid"),
    )
    op.create_index("ix_artifact_study_id", "artifact", ["study_id"])
    op.create_index("ix_artifact_trial_id_epoch", "artifact", ["trial_id", "epoch"])

    op.create_table(
        "curve",
        sa.Column("id", KEY, nullable=False),
        sa.Column("trial_id", KEY, nullable=False),
        sa.Column("attempt_id", KEY, nullable=False),
        sa.Column("metric", sa.String(length=256), nullable=False),
        sa.Column("split", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempt.id"], name="fk_curve_attempt_id_attempt", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["trial.id"], name="fk_curve_trial_id_trial", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_curve"),
        sa.UniqueConstraint(
            "trial_id",
            "attempt_id",
            "metric",
            "split",
            name="uq_curve_trial_id_attempt_id_metric_split",
        ),
    )
    op.create_index("ix_curve_attempt_id", "curve", ["attempt_id"])

    op.create_table(
        "attempt_member",
        sa.Column("attempt_id", KEY, nullable=False),
        sa.Column("trial_id", KEY, nullable=False),
        sa.Column("resume_epoch", sa.Integer(), nullable=False),
        sa.Column("resume_iteration", sa.Integer(), nullable=False),
        sa.Column("artifact_id", KEY),
        sa.ForeignKeyConstraint(
            ["artifact_id"],
            ["artifact.id"],
            name="fk_attempt_member_artifact_id_artifact",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["attempt.id"],
            name="fk_attempt_member_attempt_id_attempt",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["trial.id"], name="fk_attempt_member_trial_id_trial", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("attempt_id", "trial_id", name="pk_attempt_member"),
    )
    op.create_index("ix_attempt_member_artifact_id", "attempt_member", ["artifact_id"])
    op.create_index("ix_attempt_member_trial_id", "attempt_member", ["trial_id"])

    op.create_table(
        "curve_point",
        sa.Column("curve_id", KEY, nullable=False),
        sa.Column("iteration", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Double()),
        sa.Column("kind", text_enum("kind", "finite nan pos_inf neg_inf"), nullable=False),
        sa.ForeignKeyConstraint(
            ["curve_id"], ["curve.id"], name="fk_curve_point_curve_id_curve", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("curve_id", "iteration", name="pk_curve_point"),
    )


def downgrade() -> None:
    for table in reversed(TABLES.split()):
        op.drop_table(table)
