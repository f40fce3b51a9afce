"""A note on a reading, and why an image was skipped."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# In words that both databases know: with a rule of the column SQLite need not make the table anew.
_SKIP_REASON = """
ALTER TABLE worklist_entry ADD COLUMN skip_reason VARCHAR
CONSTRAINT ck_worklist_entry_skip_reason_known CHECK (skip_reason IN
('not a frontal chest', 'cut off or turned', 'too poor to judge', 'other, see note'))
"""


def upgrade() -> None:
    op.add_column("reading", sa.Column("note", sa.String(), nullable=True))
    op.add_column("worklist_entry", sa.Column("skip_note", sa.String(), nullable=True))
    op.execute(_SKIP_REASON)


def downgrade() -> None:
    op.drop_column("worklist_entry", "skip_reason")
    op.drop_column("worklist_entry", "skip_note")
    op.drop_column("reading", "note")
