"""Who adjudicates, what they are asked, and what they decide."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.domain.adjudication.request import RequestState
from backend.domain.adjudication.verdict import Act
from backend.store.tables.columns import Table, known


class AdjudicatorRow(Table):
    """Somebody who settles what readers dispute; a pseudonym, never a name."""

    __tablename__ = "adjudicator"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(unique=True)
    added_at: Mapped[datetime]


class AdjudicationDeskRow(Table):
    """The one organisation and project in which adjudicators work."""

    __tablename__ = "adjudication_desk"
    __table_args__ = (CheckConstraint("id = 1", name="is_the_only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int]
    project_id: Mapped[int] = mapped_column(unique=True)
    synced_until: Mapped[datetime | None]


class AdjudicationRequestRow(Table):
    """An image that an adjudicator is asked to settle, with what is shown."""

    __tablename__ = "adjudication_request"
    __table_args__ = (
        UniqueConstraint("image_id", "question", "round"),
        known("state", RequestState),
        CheckConstraint("question >= 1 AND round >= 1", name="counts_from_one"),
        CheckConstraint("adjudicators IN (1, 2)", name="one_or_two"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[str] = mapped_column(ForeignKey("image.id"))
    question: Mapped[int]
    round: Mapped[int]
    state: Mapped[str] = mapped_column(index=True)
    consequence: Mapped[float]
    is_test: Mapped[bool]
    reasons: Mapped[list[Any]] = mapped_column(JSON)
    proposal: Mapped[list[Any]] = mapped_column(JSON)
    candidates: Mapped[list[Any]] = mapped_column(JSON)
    adjudicators: Mapped[int]
    not_for: Mapped[str | None] = mapped_column(ForeignKey("adjudicator.id"))
    by_hand: Mapped[bool]
    task_id: Mapped[int | None] = mapped_column(unique=True)
    task_updated_at: Mapped[datetime | None]
    lost_at: Mapped[datetime | None]
    link_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str | None]


class AdjudicationRow(Table):
    """A revision of one verdict; revisions are only ever added."""

    __tablename__ = "adjudication"
    __table_args__ = (
        UniqueConstraint("image_id", "version"),
        known("state", ("valid", "quarantined", "withdrawn")),
        CheckConstraint("version >= 1", name="counts_from_one"),
        CheckConstraint("lead_time_seconds >= 0", name="lead_time_positive"),
        CheckConstraint("state = 'valid' OR reason IS NOT NULL", name="reason_given"),
        CheckConstraint(
            "state <> 'valid' OR adjudicator_id IS NOT NULL", name="adjudicator_is_named"
        ),
        Index(
            "uq_adjudication_current",
            "request_id",
            unique=True,
            sqlite_where=text("is_current"),
            postgresql_where=text("is_current"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("adjudication_request.id"))
    image_id: Mapped[str] = mapped_column(ForeignKey("image.id"))
    version: Mapped[int]
    is_current: Mapped[bool]
    state: Mapped[str]
    reason: Mapped[str | None]
    adjudicator_id: Mapped[str | None] = mapped_column(ForeignKey("adjudicator.id"))
    nothing_missing: Mapped[bool]
    is_complete: Mapped[bool]
    lead_time_seconds: Mapped[float | None]
    annotation_id: Mapped[int | None]
    annotation_updated_at: Mapped[datetime | None]
    submitted: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    decided_at: Mapped[datetime]
    received_at: Mapped[datetime]


class AdjudicationDecisionRow(Table):
    """What a verdict says of one cluster, which is named by what it was made of."""

    __tablename__ = "adjudication_decision"
    __table_args__ = (
        known("act", Act),
        CheckConstraint("finding BETWEEN 0 AND 13", name="finding_known"),
        CheckConstraint("subject_finding BETWEEN 0 AND 13", name="subject_known"),
        CheckConstraint("x_max > x_min AND y_max > y_min", name="box_has_area"),
        CheckConstraint("(act = 'reject') = (finding IS NULL)", name="rejected_leaves_nothing"),
        CheckConstraint("(act = 'draw') = (subject_finding IS NULL)", name="drawn_has_no_subject"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    adjudication_id: Mapped[int] = mapped_column(ForeignKey("adjudication.id"), index=True)
    act: Mapped[str]
    reason: Mapped[str | None]
    subject_finding: Mapped[int | None]
    subject_x_min: Mapped[float | None]
    subject_y_min: Mapped[float | None]
    subject_x_max: Mapped[float | None]
    subject_y_max: Mapped[float | None]
    read_box_ids: Mapped[list[Any]] = mapped_column(JSON)
    finding: Mapped[int | None]
    x_min: Mapped[float | None]
    y_min: Mapped[float | None]
    x_max: Mapped[float | None]
    y_max: Mapped[float | None]
