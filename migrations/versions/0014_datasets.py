"""What images look like, weights and repeat factors of dataset versions, figures of every epoch."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("image", sa.Column("look_hash", sa.String(64), nullable=True))
    op.add_column("dataset_version", sa.Column("seed", sa.BigInteger(), nullable=True))
    op.add_column("dataset_version", sa.Column("left_out", sa.JSON(), nullable=True))
    for name in ("weight", "repeat_factor"):
        op.add_column(
            "dataset_image",
            sa.Column(name, sa.Double(), nullable=False, server_default=sa.text("1.0")),
        )
    op.add_column("training_run", sa.Column("progress", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("training_run", "progress")
    op.drop_column("dataset_image", "repeat_factor")
    op.drop_column("dataset_image", "weight")
    op.drop_column("dataset_version", "left_out")
    op.drop_column("dataset_version", "seed")
    op.drop_column("image", "look_hash")
