"""What a sync has to remember: the reader's user, the last comparison, what was set aside."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reading_project", sa.Column("user_id", sa.Integer(), nullable=True))
    op.add_column(
        "reading_project", sa.Column("compared_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "reading_project",
        sa.Column("other_tasks", sa.Integer(), server_default="0", nullable=False),
    )
    op.add_column("reading_project", sa.Column("shown_order", sa.Text(), nullable=True))
    op.add_column(
        "worklist_entry", sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_table(
        "set_aside_task",
        sa.Column("reader_id", sa.String(length=64), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["reader_id"], ["reader.id"], name=op.f("fk_set_aside_task_reader_id_reader")
        ),
        sa.PrimaryKeyConstraint("reader_id", "task_id", name=op.f("pk_set_aside_task")),
    )


def downgrade() -> None:
    op.drop_table("set_aside_task")
    # Not in a batch: on SQLite that drops the table and makes it anew, which the rows that
    # refer to it forbid.
    op.drop_column("worklist_entry", "lost_at")
    for column in ("shown_order", "other_tasks", "compared_at", "user_id"):
        op.drop_column("reading_project", column)
