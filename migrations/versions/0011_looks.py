"""Since when a second look can be seen, by Label Studio's clock."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "worklist_entry", sa.Column("shown_from", sa.DateTime(timezone=True), nullable=True)
    )
    # Of what was shown before, only our own moment of asking is known.
    op.execute(
        "UPDATE worklist_entry SET shown_from = created_at "
        "WHERE kind = 'second-look' AND (task_id IS NOT NULL OR state IN ('read', 'skipped'))"
    )


def downgrade() -> None:
    op.drop_column("worklist_entry", "shown_from")
