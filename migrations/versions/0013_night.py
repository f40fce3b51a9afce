"""The chain's runs, their steps, and what they said."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "night_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_by", sa.String(), nullable=True),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "state IN ('running', 'finished', 'failed', 'cancelled')",
            name=op.f("ck_night_run_state_known"),
        ),
        sa.CheckConstraint("attempts >= 1", name=op.f("ck_night_run_counts_from_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_night_run")),
    )
    op.create_index(op.f("ix_night_run_started_at"), "night_run", ["started_at"])
    op.create_table(
        "night_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("inputs_sha256", sa.String(64), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_seconds", sa.Double(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "state IN ('running', 'done', 'nothing to do', 'failed', 'stopped')",
            name=op.f("ck_night_step_state_known"),
        ),
        sa.CheckConstraint("attempts >= 1", name=op.f("ck_night_step_counts_from_one")),
        sa.CheckConstraint("duration_seconds >= 0", name=op.f("ck_night_step_duration_positive")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["night_run.id"], name=op.f("fk_night_step_run_id_night_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_night_step")),
        sa.UniqueConstraint("run_id", "name", name=op.f("uq_night_step_run_id_name")),
    )
    op.create_table(
        "night_line",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["night_run.id"], name=op.f("fk_night_line_run_id_night_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_night_line")),
    )
    op.create_index(op.f("ix_night_line_run_id"), "night_line", ["run_id"])


def downgrade() -> None:
    op.drop_table("night_line")
    op.drop_table("night_step")
    op.drop_table("night_run")
