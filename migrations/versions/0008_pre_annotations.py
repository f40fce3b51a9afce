"""Calibrated scores, spread of boxes, features of images, images that could not be scored."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_version", sa.Column("scoring", sa.JSON(), nullable=True))
    op.add_column("prediction", sa.Column("features", sa.LargeBinary(), nullable=True))
    op.add_column("predicted_box", sa.Column("raw_score", sa.Double(), nullable=True))
    op.add_column("predicted_box", sa.Column("spread_px", sa.Double(), nullable=True))
    op.create_table(
        "scoring_failure",
        sa.Column("image_id", sa.String(length=128), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_scoring_failure_image_id_image")
        ),
        sa.ForeignKeyConstraint(
            ["model_version"],
            ["model_version.name"],
            name=op.f("fk_scoring_failure_model_version_model_version"),
        ),
        sa.PrimaryKeyConstraint("image_id", "model_version", name=op.f("pk_scoring_failure")),
    )


def downgrade() -> None:
    op.drop_table("scoring_failure")
    # Not in a batch: on SQLite that drops the table and makes it anew, which the rows that
    # refer to it forbid.
    op.drop_column("predicted_box", "spread_px")
    op.drop_column("predicted_box", "raw_score")
    op.drop_column("prediction", "features")
    op.drop_column("model_version", "scoring")
