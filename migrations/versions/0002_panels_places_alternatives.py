"""Reader panels, and the place and the alternatives of a cluster."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reader_panel",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("method_version", sa.String(length=64), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("fitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reader_panel")),
        sa.UniqueConstraint("method_version", name=op.f("uq_reader_panel_method_version")),
    )
    with op.batch_alter_table("reader_panel", schema=None) as batch_op:
        batch_op.create_index(
            "uq_reader_panel_current",
            ["is_current"],
            unique=True,
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        )

    # The default is for what yesterday's program writes, which knows no places.
    op.add_column(
        "cluster", sa.Column("place", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.create_table(
        "cluster_alternative",
        sa.Column("cluster_id", sa.Integer(), nullable=False),
        sa.Column("finding", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "finding BETWEEN 0 AND 13", name=op.f("ck_cluster_alternative_finding_known")
        ),
        sa.CheckConstraint(
            "score BETWEEN 0 AND 1", name=op.f("ck_cluster_alternative_score_is_share")
        ),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["cluster.id"], name=op.f("fk_cluster_alternative_cluster_id_cluster")
        ),
        sa.PrimaryKeyConstraint("cluster_id", "finding", name=op.f("pk_cluster_alternative")),
    )


def downgrade() -> None:
    op.drop_table("cluster_alternative")
    # Not in a batch: on SQLite that drops the table and makes it anew, which the rows that
    # refer to it forbid.
    op.drop_column("cluster", "place")
    with op.batch_alter_table("reader_panel", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_reader_panel_current",
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        )

    op.drop_table("reader_panel")
