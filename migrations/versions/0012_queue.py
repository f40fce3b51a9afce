"""What an image was chosen for, and how long reading it will take."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("worklist_entry", sa.Column("top_finding", sa.Integer(), nullable=True))
    op.add_column("worklist_entry", sa.Column("expected_seconds", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("worklist_entry", "expected_seconds")
    op.drop_column("worklist_entry", "top_finding")
