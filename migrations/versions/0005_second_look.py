"""Second looks: what kind a reading is, which reading is looked at again, whose box it was."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Written out, not in a batch: on SQLite that drops the table and makes it anew, which the rows
# that refer to it forbid. A constraint of one column may speak of another one in both databases.
_ADDED = (
    """
    ALTER TABLE reading ADD COLUMN kind VARCHAR NOT NULL DEFAULT 'reading'
        CONSTRAINT ck_reading_kind_known CHECK (kind IN ('reading', 'second-look'))
        CONSTRAINT ck_reading_second_look_follows CHECK (kind <> 'second-look' OR round >= 2)
    """,
    """
    ALTER TABLE worklist_entry ADD COLUMN reading_id INTEGER
        CONSTRAINT fk_worklist_entry_reading_id_reading REFERENCES reading (id)
        CONSTRAINT ck_worklist_entry_second_look_of_reading
        CHECK (kind <> 'second-look' OR reading_id IS NOT NULL)
    """,
    """
    ALTER TABLE read_box ADD COLUMN own_box_id INTEGER
        CONSTRAINT fk_read_box_own_box_id_read_box REFERENCES read_box (id)
    """,
)


def upgrade() -> None:
    for statement in _ADDED:
        op.execute(sa.text(statement))


def downgrade() -> None:
    # Without its kind a second look would count as a reading.
    op.execute(
        sa.text(
            "UPDATE reading SET state = 'withdrawn', reason = 'it was a second look' "
            "WHERE kind = 'second-look'"
        )
    )
    op.drop_column("read_box", "own_box_id")
    op.drop_column("worklist_entry", "reading_id")
    op.drop_column("reading", "kind")
