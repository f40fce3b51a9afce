"""What a sync has to remember: the reader's user, the last comparison, what was set aside."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("reading_project", schema=None) as batch_op:
        batch_op.add_column(sa.Column("user_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("compared_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column("other_tasks", sa.Integer(), server_default="0", nullable=False)
        )
        batch_op.add_column(sa.Column("shown_order", sa.Text(), nullable=True))
    with op.batch_alter_table("worklist_entry", schema=None) as batch_op:
        batch_op.add_column(sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True))
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
    with op.batch_alter_table("worklist_entry", schema=None) as batch_op:
        batch_op.drop_column("lost_at")
    with op.batch_alter_table("reading_project", schema=None) as batch_op:
        batch_op.drop_column("shown_order")
        batch_op.drop_column("other_tasks")
        batch_op.drop_column("compared_at")
        batch_op.drop_column("user_id")
