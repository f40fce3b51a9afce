"""What readers are preferred for, and until when they are away."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "reader", sa.Column("specialities", sa.String(), server_default="", nullable=False)
    )
    op.add_column("reader", sa.Column("away_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    # Not in a batch: on SQLite that drops the table and makes it anew, which the rows that
    # refer to it forbid.
    op.drop_column("reader", "away_until")
    op.drop_column("reader", "specialities")
