"""Worklists, and the readings that come of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, text, true
from sqlalchemy.orm import Mapped, mapped_column

from backend.domain.readings import Arm, Certainty, Origin, ReadingKind
from backend.domain.worklists import EntryState, SkipReason
from backend.store.tables.columns import BoxColumns, Table, box_rules, known


class WorklistEntryRow(Table):
    """An image on a reader's worklist, with its reason; once per round."""

    __tablename__ = "worklist_entry"
    __table_args__ = (
        UniqueConstraint("image_id", "reader_id", "round", "kind"),
        known("arm", Arm),
        # "adjudication" was planned and never written; to take it out of the rule, SQLite would
        # have to make the table anew.
        known("kind", ("reading", "adjudication", "second-look", "gold")),
        known("state", EntryState),
        known("skip_reason", SkipReason),
        CheckConstraint("arm = 'assisted' OR model_version IS NULL", name="unassisted_unshown"),
        CheckConstraint("rank >= 1 AND round >= 1", name="counts_from_one"),
        CheckConstraint(
            "kind <> 'second-look' OR reading_id IS NOT NULL", name="second_look_of_reading"
        ),
        Index("ix_worklist_entry_reader_id_state_rank", "reader_id", "state", "rank"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[str] = mapped_column(ForeignKey("image.id"))
    reader_id: Mapped[str] = mapped_column(ForeignKey("reader.id"))
    round: Mapped[int]
    rank: Mapped[int]
    score: Mapped[float]
    channel: Mapped[str]
    reason: Mapped[str]
    arm: Mapped[str]
    arm_drawn: Mapped[bool] = mapped_column(server_default=true())
    model_version: Mapped[str | None] = mapped_column(ForeignKey("model_version.name"))
    kind: Mapped[str]
    state: Mapped[str]
    reading_id: Mapped[int | None] = mapped_column(ForeignKey("reading.id"))
    task_id: Mapped[int | None] = mapped_column(unique=True)
    task_updated_at: Mapped[datetime | None]
    shown_from: Mapped[datetime | None]
    lost_at: Mapped[datetime | None]
    link_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    skip_reason: Mapped[str | None]
    skip_note: Mapped[str | None]
    top_finding: Mapped[int | None]
    expected_seconds: Mapped[float | None]


class ReadingRow(Table):
    """A revision of one reader's answer for one image; revisions are only ever added."""

    __tablename__ = "reading"
    __table_args__ = (
        UniqueConstraint("image_id", "reader_id", "round", "revision"),
        known("arm", Arm),
        known("state", ("valid", "quarantined", "withdrawn")),
        known("kind", ReadingKind),
        CheckConstraint("kind <> 'second-look' OR round >= 2", name="second_look_follows"),
        CheckConstraint("arm = 'assisted' OR model_version IS NULL", name="unassisted_unshown"),
        CheckConstraint("revision >= 1 AND round >= 1", name="counts_from_one"),
        CheckConstraint("lead_time_seconds >= 0", name="lead_time_positive"),
        CheckConstraint("state = 'valid' OR reason IS NOT NULL", name="reason_given"),
        Index(
            "uq_reading_current",
            "image_id",
            "reader_id",
            "round",
            unique=True,
            sqlite_where=text("is_current"),
            postgresql_where=text("is_current"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[str] = mapped_column(ForeignKey("image.id"))
    reader_id: Mapped[str] = mapped_column(ForeignKey("reader.id"), index=True)
    round: Mapped[int]
    kind: Mapped[str] = mapped_column(server_default=text("'reading'"))
    revision: Mapped[int]
    is_current: Mapped[bool]
    state: Mapped[str]
    reason: Mapped[str | None]
    no_finding: Mapped[bool]
    arm: Mapped[str]
    model_version: Mapped[str | None] = mapped_column(ForeignKey("model_version.name"))
    lead_time_seconds: Mapped[float | None]
    annotation_id: Mapped[int | None] = mapped_column(index=True)
    annotation_updated_at: Mapped[datetime | None]
    submitted: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    read_at: Mapped[datetime]
    received_at: Mapped[datetime]
    note: Mapped[str | None]


class ReadBoxRow(BoxColumns, Table):
    """One box of a reading, and how it came to stand there."""

    __tablename__ = "read_box"
    __table_args__ = (*box_rules(), known("origin", Origin), known("certainty", Certainty))

    id: Mapped[int] = mapped_column(primary_key=True)
    reading_id: Mapped[int] = mapped_column(ForeignKey("reading.id"), index=True)
    origin: Mapped[str]
    certainty: Mapped[str | None]
    predicted_box_id: Mapped[int | None] = mapped_column(ForeignKey("predicted_box.id"))
    own_box_id: Mapped[int | None] = mapped_column(ForeignKey("read_box.id"))
