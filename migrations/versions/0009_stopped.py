"""Tasks of withdrawn entries that are served no more."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "worklist_entry", sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True)
    )


def downgrade() -> None:
    # Not in a batch: on SQLite that drops the table and makes it anew, which the rows that
    # refer to it forbid.
    op.drop_column("worklist_entry", "stopped_at")
