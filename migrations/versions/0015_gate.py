"""What the gate said, since when a challenger is in the shadow, when model versions served."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_version", sa.Column("gate", sa.JSON(), nullable=True))
    op.add_column(
        "model_version", sa.Column("shadow_since", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_table(
        "model_service",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_version"],
            ["model_version.name"],
            name=op.f("fk_model_service_model_version_model_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_service")),
    )
    op.create_index(
        op.f("ix_model_service_model_version"), "model_service", ["model_version"], unique=False
    )
    # Of those before the present champion it is not known when they ended.
    op.execute(
        "INSERT INTO model_service (model_version, began_at, actor) "
        "SELECT name, COALESCE(promoted_at, created_at), 'not kept' "
        "FROM model_version WHERE state = 'champion'"
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_model_service_model_version"), table_name="model_service")
    op.drop_table("model_service")
    op.drop_column("model_version", "shadow_since")
    op.drop_column("model_version", "gate")
