"""Whether the arm of a worklist entry was drawn by lot."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default is for what yesterday's program writes, which does not say it.
    op.add_column(
        "worklist_entry",
        sa.Column("arm_drawn", sa.Boolean(), server_default=sa.true(), nullable=False),
    )
    # An image that no model had seen yet was read unassisted by circumstance.
    op.execute(
        sa.text(
            "UPDATE worklist_entry SET arm_drawn = FALSE WHERE arm = 'unassisted' AND NOT EXISTS"
            " (SELECT 1 FROM prediction WHERE prediction.image_id = worklist_entry.image_id"
            " AND prediction.predicted_at <= worklist_entry.created_at)"
        )
    )


def downgrade() -> None:
    op.drop_column("worklist_entry", "arm_drawn")
