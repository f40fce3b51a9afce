"""First schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_event_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_event_subject"), ["subject"], unique=False)

    op.create_table(
        "dataset_version",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("consensus_method", sa.String(), nullable=False),
        sa.Column("p_true_from", sa.Double(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "p_true_from BETWEEN 0 AND 1", name=op.f("ck_dataset_version_p_true_from_is_share")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_dataset_version")),
        sa.UniqueConstraint("sha256", name=op.f("uq_dataset_version_sha256")),
    )
    op.create_table(
        "image",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("pixel_hash", sa.String(length=64), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("original_width_px", sa.Integer(), nullable=True),
        sa.Column("original_height_px", sa.Integer(), nullable=True),
        sa.Column("patient_key", sa.String(), nullable=False),
        sa.Column("split", sa.String(), nullable=True),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("split IN ('train', 'val', 'test')", name=op.f("ck_image_split_known")),
        sa.CheckConstraint("width_px > 0 AND height_px > 0", name=op.f("ck_image_size_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image")),
        sa.UniqueConstraint("pixel_hash", name=op.f("uq_image_pixel_hash")),
    )
    with op.batch_alter_table("image", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_image_patient_key"), ["patient_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_image_split"), ["split"], unique=False)

    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "reader",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reader")),
    )
    op.create_table(
        "account",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("reader_id", sa.String(length=64), nullable=True),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("token_sha256", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role <> 'reader' OR reader_id IS NOT NULL", name=op.f("ck_account_reader_is_named")
        ),
        sa.CheckConstraint(
            "role IN ('reader', 'manager', 'admin')", name=op.f("ck_account_role_known")
        ),
        sa.ForeignKeyConstraint(
            ["reader_id"], ["reader.id"], name=op.f("fk_account_reader_id_reader")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_account")),
        sa.UniqueConstraint("reader_id", name=op.f("uq_account_reader_id")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_account_token_sha256")),
    )
    op.create_table(
        "consensus",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.String(length=128), nullable=False),
        sa.Column("method_version", sa.String(), nullable=False),
        sa.Column("readings_sha256", sa.String(length=64), nullable=False),
        sa.Column("p_no_finding", sa.Double(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "p_no_finding BETWEEN 0 AND 1", name=op.f("ck_consensus_p_no_finding_is_share")
        ),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_consensus_image_id_image")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consensus")),
        sa.UniqueConstraint(
            "image_id",
            "method_version",
            "readings_sha256",
            name=op.f("uq_consensus_image_id_method_version_readings_sha256"),
        ),
    )
    with op.batch_alter_table("consensus", schema=None) as batch_op:
        batch_op.create_index(
            "uq_consensus_current",
            ["image_id"],
            unique=True,
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        )

    op.create_table(
        "model_version",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("weights_uri", sa.String(), nullable=False),
        sa.Column("weights_sha256", sa.String(length=64), nullable=False),
        sa.Column("dataset_version", sa.String(length=64), nullable=True),
        sa.Column("map40", sa.Double(), nullable=True),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('challenger', 'champion', 'rejected', 'retired')",
            name=op.f("ck_model_version_state_known"),
        ),
        sa.CheckConstraint("map40 BETWEEN 0 AND 1", name=op.f("ck_model_version_map40_is_share")),
        sa.ForeignKeyConstraint(
            ["dataset_version"],
            ["dataset_version.name"],
            name=op.f("fk_model_version_dataset_version_dataset_version"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_model_version")),
    )
    with op.batch_alter_table("model_version", schema=None) as batch_op:
        batch_op.create_index(
            "uq_model_version_champion",
            ["state"],
            unique=True,
            sqlite_where=sa.text("state = 'champion'"),
            postgresql_where=sa.text("state = 'champion'"),
        )

    op.create_table(
        "reading_project",
        sa.Column("reader_id", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("synced_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["reader_id"], ["reader.id"], name=op.f("fk_reading_project_reader_id_reader")
        ),
        sa.PrimaryKeyConstraint("reader_id", name=op.f("pk_reading_project")),
        sa.UniqueConstraint("email", name=op.f("uq_reading_project_email")),
        sa.UniqueConstraint("project_id", name=op.f("uq_reading_project_project_id")),
    )
    op.create_table(
        "release",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("dataset_version", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_version"],
            ["dataset_version.name"],
            name=op.f("fk_release_dataset_version_dataset_version"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_release")),
    )
    op.create_table(
        "cluster",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("consensus_id", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("p_true", sa.Double(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("finding", sa.Integer(), nullable=False),
        sa.Column("x_min", sa.Double(), nullable=False),
        sa.Column("y_min", sa.Double(), nullable=False),
        sa.Column("x_max", sa.Double(), nullable=False),
        sa.Column("y_max", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "state IN ('unanimous', 'majority', 'single-reader', 'class-conflict', 'adjudicated')",
            name=op.f("ck_cluster_state_known"),
        ),
        sa.CheckConstraint("finding BETWEEN 0 AND 13", name=op.f("ck_cluster_finding_known")),
        sa.CheckConstraint("p_true BETWEEN 0 AND 1", name=op.f("ck_cluster_p_true_is_share")),
        sa.CheckConstraint("score BETWEEN 0 AND 1", name=op.f("ck_cluster_score_is_share")),
        sa.CheckConstraint(
            "x_max > x_min AND y_max > y_min", name=op.f("ck_cluster_box_has_area")
        ),
        sa.CheckConstraint("x_min >= 0 AND y_min >= 0", name=op.f("ck_cluster_box_inside")),
        sa.ForeignKeyConstraint(
            ["consensus_id"], ["consensus.id"], name=op.f("fk_cluster_consensus_id_consensus")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster")),
    )
    with op.batch_alter_table("cluster", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_cluster_consensus_id"), ["consensus_id"], unique=False
        )

    op.create_table(
        "dataset_image",
        sa.Column("dataset_version", sa.String(length=64), nullable=False),
        sa.Column("image_id", sa.String(length=128), nullable=False),
        sa.Column("consensus_id", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        sa.CheckConstraint(
            "split IN ('train', 'val', 'test')", name=op.f("ck_dataset_image_split_known")
        ),
        sa.ForeignKeyConstraint(
            ["consensus_id"],
            ["consensus.id"],
            name=op.f("fk_dataset_image_consensus_id_consensus"),
        ),
        sa.ForeignKeyConstraint(
            ["dataset_version"],
            ["dataset_version.name"],
            name=op.f("fk_dataset_image_dataset_version_dataset_version"),
        ),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_dataset_image_image_id_image")
        ),
        sa.PrimaryKeyConstraint("dataset_version", "image_id", name=op.f("pk_dataset_image")),
    )
    op.create_table(
        "prediction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.String(length=128), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("predicted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_prediction_image_id_image")
        ),
        sa.ForeignKeyConstraint(
            ["model_version"],
            ["model_version.name"],
            name=op.f("fk_prediction_model_version_model_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prediction")),
        sa.UniqueConstraint(
            "image_id", "model_version", name=op.f("uq_prediction_image_id_model_version")
        ),
    )
    with op.batch_alter_table("prediction", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_prediction_model_version"), ["model_version"], unique=False
        )

    op.create_table(
        "reading",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.String(length=128), nullable=False),
        sa.Column("reader_id", sa.String(length=64), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("no_finding", sa.Boolean(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=True),
        sa.Column("lead_time_seconds", sa.Double(), nullable=True),
        sa.Column("annotation_id", sa.Integer(), nullable=True),
        sa.Column("annotation_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "arm = 'assisted' OR model_version IS NULL", name=op.f("ck_reading_unassisted_unshown")
        ),
        sa.CheckConstraint("arm IN ('assisted', 'unassisted')", name=op.f("ck_reading_arm_known")),
        sa.CheckConstraint(
            "state = 'valid' OR reason IS NOT NULL", name=op.f("ck_reading_reason_given")
        ),
        sa.CheckConstraint(
            "state IN ('valid', 'quarantined', 'withdrawn')", name=op.f("ck_reading_state_known")
        ),
        sa.CheckConstraint("lead_time_seconds >= 0", name=op.f("ck_reading_lead_time_positive")),
        sa.CheckConstraint(
            "revision >= 1 AND round >= 1", name=op.f("ck_reading_counts_from_one")
        ),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_reading_image_id_image")
        ),
        sa.ForeignKeyConstraint(
            ["model_version"],
            ["model_version.name"],
            name=op.f("fk_reading_model_version_model_version"),
        ),
        sa.ForeignKeyConstraint(
            ["reader_id"], ["reader.id"], name=op.f("fk_reading_reader_id_reader")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading")),
        sa.UniqueConstraint(
            "image_id",
            "reader_id",
            "round",
            "revision",
            name=op.f("uq_reading_image_id_reader_id_round_revision"),
        ),
    )
    with op.batch_alter_table("reading", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_reading_annotation_id"), ["annotation_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_reading_reader_id"), ["reader_id"], unique=False)
        batch_op.create_index(
            "uq_reading_current",
            ["image_id", "reader_id", "round"],
            unique=True,
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        )

    op.create_table(
        "training_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_version", sa.String(length=64), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('running', 'finished', 'failed')", name=op.f("ck_training_run_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["dataset_version"],
            ["dataset_version.name"],
            name=op.f("fk_training_run_dataset_version_dataset_version"),
        ),
        sa.ForeignKeyConstraint(
            ["model_version"],
            ["model_version.name"],
            name=op.f("fk_training_run_model_version_model_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_run")),
    )
    op.create_table(
        "worklist_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.String(length=128), nullable=False),
        sa.Column("reader_id", sa.String(length=64), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=True),
        sa.Column("task_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("link_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "arm = 'assisted' OR model_version IS NULL",
            name=op.f("ck_worklist_entry_unassisted_unshown"),
        ),
        sa.CheckConstraint(
            "arm IN ('assisted', 'unassisted')", name=op.f("ck_worklist_entry_arm_known")
        ),
        sa.CheckConstraint(
            "kind IN ('reading', 'adjudication', 'second-look', 'gold')",
            name=op.f("ck_worklist_entry_kind_known"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'read', 'skipped', 'withdrawn')",
            name=op.f("ck_worklist_entry_state_known"),
        ),
        sa.CheckConstraint(
            "rank >= 1 AND round >= 1", name=op.f("ck_worklist_entry_counts_from_one")
        ),
        sa.ForeignKeyConstraint(
            ["image_id"], ["image.id"], name=op.f("fk_worklist_entry_image_id_image")
        ),
        sa.ForeignKeyConstraint(
            ["model_version"],
            ["model_version.name"],
            name=op.f("fk_worklist_entry_model_version_model_version"),
        ),
        sa.ForeignKeyConstraint(
            ["reader_id"], ["reader.id"], name=op.f("fk_worklist_entry_reader_id_reader")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worklist_entry")),
        sa.UniqueConstraint(
            "image_id",
            "reader_id",
            "round",
            "kind",
            name=op.f("uq_worklist_entry_image_id_reader_id_round_kind"),
        ),
        sa.UniqueConstraint("task_id", name=op.f("uq_worklist_entry_task_id")),
    )
    with op.batch_alter_table("worklist_entry", schema=None) as batch_op:
        batch_op.create_index(
            "ix_worklist_entry_reader_id_state_rank", ["reader_id", "state", "rank"], unique=False
        )

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

    op.create_table(
        "consensus_reading",
        sa.Column("consensus_id", sa.Integer(), nullable=False),
        sa.Column("reading_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consensus_id"],
            ["consensus.id"],
            name=op.f("fk_consensus_reading_consensus_id_consensus"),
        ),
        sa.ForeignKeyConstraint(
            ["reading_id"], ["reading.id"], name=op.f("fk_consensus_reading_reading_id_reading")
        ),
        sa.PrimaryKeyConstraint("consensus_id", "reading_id", name=op.f("pk_consensus_reading")),
    )
    op.create_table(
        "predicted_box",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("prediction_id", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("finding", sa.Integer(), nullable=False),
        sa.Column("x_min", sa.Double(), nullable=False),
        sa.Column("y_min", sa.Double(), nullable=False),
        sa.Column("x_max", sa.Double(), nullable=False),
        sa.Column("y_max", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "finding BETWEEN 0 AND 13", name=op.f("ck_predicted_box_finding_known")
        ),
        sa.CheckConstraint("score BETWEEN 0 AND 1", name=op.f("ck_predicted_box_score_is_share")),
        sa.CheckConstraint(
            "x_max > x_min AND y_max > y_min", name=op.f("ck_predicted_box_box_has_area")
        ),
        sa.CheckConstraint("x_min >= 0 AND y_min >= 0", name=op.f("ck_predicted_box_box_inside")),
        sa.ForeignKeyConstraint(
            ["prediction_id"],
            ["prediction.id"],
            name=op.f("fk_predicted_box_prediction_id_prediction"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_predicted_box")),
    )
    with op.batch_alter_table("predicted_box", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_predicted_box_prediction_id"), ["prediction_id"], unique=False
        )

    op.create_table(
        "read_box",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reading_id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("certainty", sa.String(), nullable=True),
        sa.Column("predicted_box_id", sa.Integer(), nullable=True),
        sa.Column("finding", sa.Integer(), nullable=False),
        sa.Column("x_min", sa.Double(), nullable=False),
        sa.Column("y_min", sa.Double(), nullable=False),
        sa.Column("x_max", sa.Double(), nullable=False),
        sa.Column("y_max", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "certainty IN ('definite', 'probable', 'possible')",
            name=op.f("ck_read_box_certainty_known"),
        ),
        sa.CheckConstraint(
            "origin IN ('accepted', 'adjusted', 'drawn', 'deleted')",
            name=op.f("ck_read_box_origin_known"),
        ),
        sa.CheckConstraint("finding BETWEEN 0 AND 13", name=op.f("ck_read_box_finding_known")),
        sa.CheckConstraint(
            "x_max > x_min AND y_max > y_min", name=op.f("ck_read_box_box_has_area")
        ),
        sa.CheckConstraint("x_min >= 0 AND y_min >= 0", name=op.f("ck_read_box_box_inside")),
        sa.ForeignKeyConstraint(
            ["predicted_box_id"],
            ["predicted_box.id"],
            name=op.f("fk_read_box_predicted_box_id_predicted_box"),
        ),
        sa.ForeignKeyConstraint(
            ["reading_id"], ["reading.id"], name=op.f("fk_read_box_reading_id_reading")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_read_box")),
    )
    with op.batch_alter_table("read_box", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_read_box_reading_id"), ["reading_id"], unique=False)

    op.create_table(
        "cluster_supporter",
        sa.Column("cluster_id", sa.Integer(), nullable=False),
        sa.Column("read_box_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["cluster.id"], name=op.f("fk_cluster_supporter_cluster_id_cluster")
        ),
        sa.ForeignKeyConstraint(
            ["read_box_id"],
            ["read_box.id"],
            name=op.f("fk_cluster_supporter_read_box_id_read_box"),
        ),
        sa.PrimaryKeyConstraint("cluster_id", "read_box_id", name=op.f("pk_cluster_supporter")),
    )
    _make_audit_append_only()


def downgrade() -> None:
    _let_audit_go()
    op.drop_table("cluster_supporter")
    with op.batch_alter_table("read_box", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_read_box_reading_id"))

    op.drop_table("read_box")
    with op.batch_alter_table("predicted_box", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_predicted_box_prediction_id"))

    op.drop_table("predicted_box")
    op.drop_table("consensus_reading")
    with op.batch_alter_table("adjudication", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_adjudication_cluster_id"))

    op.drop_table("adjudication")
    with op.batch_alter_table("worklist_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_worklist_entry_reader_id_state_rank")

    op.drop_table("worklist_entry")
    op.drop_table("training_run")
    with op.batch_alter_table("reading", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_reading_current",
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        )
        batch_op.drop_index(batch_op.f("ix_reading_reader_id"))
        batch_op.drop_index(batch_op.f("ix_reading_annotation_id"))

    op.drop_table("reading")
    with op.batch_alter_table("prediction", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_prediction_model_version"))

    op.drop_table("prediction")
    op.drop_table("dataset_image")
    with op.batch_alter_table("cluster", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_cluster_consensus_id"))

    op.drop_table("cluster")
    op.drop_table("release")
    op.drop_table("reading_project")
    with op.batch_alter_table("model_version", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_model_version_champion",
            sqlite_where=sa.text("state = 'champion'"),
            postgresql_where=sa.text("state = 'champion'"),
        )

    op.drop_table("model_version")
    with op.batch_alter_table("consensus", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_consensus_current",
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        )

    op.drop_table("consensus")
    op.drop_table("account")
    op.drop_table("reader")
    op.drop_table("lease")
    with op.batch_alter_table("image", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_image_split"))
        batch_op.drop_index(batch_op.f("ix_image_patient_key"))

    op.drop_table("image")
    op.drop_table("dataset_version")
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_event_subject"))
        batch_op.drop_index(batch_op.f("ix_audit_event_at"))

    op.drop_table("audit_event")


def _make_audit_append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_event_no_{verb.lower()} BEFORE {verb} ON audit_event "
                "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_event_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event "
        "FOR EACH ROW EXECUTE FUNCTION audit_event_append_only()"
    )
    op.execute(
        "CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_event_append_only()"
    )


def _let_audit_go() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER audit_event_no_{verb}")
        return
    op.execute("DROP TRIGGER audit_event_no_truncate ON audit_event")
    op.execute("DROP TRIGGER audit_event_append_only ON audit_event")
    op.execute("DROP FUNCTION audit_event_append_only()")
