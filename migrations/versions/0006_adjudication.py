"""Adjudicators, what they are asked, and what they decide, cluster by cluster."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No program has ever written to the table of version 0.1.
    op.drop_table("adjudication")
    op.create_table(
        "adjudication_desk",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("synced_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_adjudication_desk_is_the_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjudication_desk")),
        sa.UniqueConstraint("project_id", name=op.f("uq_adjudication_desk_project_id")),
    )
    op.create_table(
        "adjudicator",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjudicator")),
        sa.UniqueConstraint("email", name=op.f("uq_adjudicator_email")),
        sa.UniqueConstraint("user_id", name=op.f("uq_adjudicator_user_id")),
    )
    op.create_table(
        "adjudication_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.String(length=128), nullable=False),
        sa.Column("question", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("consequence", sa.Double(), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("proposal", sa.JSON(), nullable=False),
        sa.Column("candidates", sa.JSON(), nullable=False),
        sa.Column("adjudicators", sa.Integer(), nullable=False),
        sa.Column("not_for", sa.String(length=64), nullable=True),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=True),
        sa.Column("task_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("link_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_because", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'decided', 'skipped', 'withdrawn', 'reopened')",
            name=op.f("ck_adjudication_request_state_known"),
        ),
        sa.CheckConstraint(
            "adjudicators IN (1, 2)", name=op.f("ck_adjudication_request_one_or_two")
        ),
        sa.CheckConstraint(
            "question >= 1 AND round >= 1", name=op.f("ck_adjudication_request_counts_from_one")
        ),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_adjudication_request_image_id_image")
        ),
        sa.ForeignKeyConstraint(
            ["not_for"],
            ["adjudicator.id"],
            name=op.f("fk_adjudication_request_not_for_adjudicator"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjudication_request")),
        sa.UniqueConstraint(
            "image_id",
            "question",
            "round",
            name=op.f("uq_adjudication_request_image_id_question_round"),
        ),
        sa.UniqueConstraint("task_id", name=op.f("uq_adjudication_request_task_id")),
    )
    with op.batch_alter_table("adjudication_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_adjudication_request_state"), ["state"], unique=False)

    op.create_table(
        "adjudication",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("adjudicator_id", sa.String(length=64), nullable=True),
        sa.Column("nothing_missing", sa.Boolean(), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("lead_time_seconds", sa.Double(), nullable=True),
        sa.Column("annotation_id", sa.Integer(), nullable=True),
        sa.Column("annotation_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('valid', 'quarantined', 'withdrawn')",
            name=op.f("ck_adjudication_state_known"),
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_adjudication_counts_from_one")),
        sa.CheckConstraint(
            "lead_time_seconds >= 0", name=op.f("ck_adjudication_lead_time_positive")
        ),
        sa.CheckConstraint(
            "state = 'valid' OR reason IS NOT NULL", name=op.f("ck_adjudication_reason_given")
        ),
        sa.CheckConstraint(
            "state <> 'valid' OR adjudicator_id IS NOT NULL",
            name=op.f("ck_adjudication_adjudicator_is_named"),
        ),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["adjudication_request.id"],
            name=op.f("fk_adjudication_request_id_adjudication_request"),
        ),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_adjudication_image_id_image")
        ),
        sa.ForeignKeyConstraint(
            ["adjudicator_id"],
            ["adjudicator.id"],
            name=op.f("fk_adjudication_adjudicator_id_adjudicator"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjudication")),
        sa.UniqueConstraint("image_id", "version", name=op.f("uq_adjudication_image_id_version")),
    )
    with op.batch_alter_table("adjudication", schema=None) as batch_op:
        batch_op.create_index(
            "uq_adjudication_current",
            ["request_id"],
            unique=True,
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        )

    op.create_table(
        "adjudication_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("adjudication_id", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("subject_finding", sa.Integer(), nullable=True),
        sa.Column("subject_x_min", sa.Double(), nullable=True),
        sa.Column("subject_y_min", sa.Double(), nullable=True),
        sa.Column("subject_x_max", sa.Double(), nullable=True),
        sa.Column("subject_y_max", sa.Double(), nullable=True),
        sa.Column("read_box_ids", sa.JSON(), nullable=False),
        sa.Column("finding", sa.Integer(), nullable=True),
        sa.Column("x_min", sa.Double(), nullable=True),
        sa.Column("y_min", sa.Double(), nullable=True),
        sa.Column("x_max", sa.Double(), nullable=True),
        sa.Column("y_max", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "(act = 'draw') = (subject_finding IS NULL)",
            name=op.f("ck_adjudication_decision_drawn_has_no_subject"),
        ),
        sa.CheckConstraint(
            "(act = 'reject') = (finding IS NULL)",
            name=op.f("ck_adjudication_decision_rejected_leaves_nothing"),
        ),
        sa.CheckConstraint(
            "act IN ('accept', 'adjust', 'relabel', 'merge', 'reject', 'draw')",
            name=op.f("ck_adjudication_decision_act_known"),
        ),
        sa.CheckConstraint(
            "finding BETWEEN 0 AND 13", name=op.f("ck_adjudication_decision_finding_known")
        ),
        sa.CheckConstraint(
            "subject_finding BETWEEN 0 AND 13", name=op.f("ck_adjudication_decision_subject_known")
        ),
        sa.CheckConstraint(
            "x_max > x_min AND y_max > y_min", name=op.f("ck_adjudication_decision_box_has_area")
        ),
        sa.ForeignKeyConstraint(
            ["adjudication_id"],
            ["adjudication.id"],
            name=op.f("fk_adjudication_decision_adjudication_id_adjudication"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjudication_decision")),
    )
    with op.batch_alter_table("adjudication_decision", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_adjudication_decision_adjudication_id"),
            ["adjudication_id"],
            unique=False,
        )

    op.add_column(
        "dataset_image",
        sa.Column("is_adjudicated", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column(
        "consensus", sa.Column("verdict_version", sa.String(), server_default="", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("consensus", "verdict_version")
    op.drop_column("dataset_image", "is_adjudicated")
    op.drop_table("adjudication_decision")
    op.drop_table("adjudication")
    op.drop_table("adjudication_request")
    op.drop_table("adjudicator")
    op.drop_table("adjudication_desk")
    op.create_table(
        "adjudication",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cluster_id", sa.Integer(), nullable=False),
        sa.Column("adjudicator_id", sa.String(length=64), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "decision IN ('accept', 'merge', 'relabel', 'reject')",
            name=op.f("ck_adjudication_decision_known"),
        ),
        sa.ForeignKeyConstraint(
            ["adjudicator_id"], ["reader.id"], name=op.f("fk_adjudication_adjudicator_id_reader")
        ),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["cluster.id"], name=op.f("fk_adjudication_cluster_id_cluster")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjudication")),
    )
    with op.batch_alter_table("adjudication", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_adjudication_cluster_id"), ["cluster_id"], unique=False
        )
