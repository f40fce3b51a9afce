"""What Label Studio has lost of the adjudicators' verdicts."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "adjudication_request", sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True)
    )


def downgrade() -> None:
    # Not in a batch: on SQLite that drops the table and makes it anew, which the rows that
    # refer to it forbid.
    op.drop_column("adjudication_request", "lost_at")
