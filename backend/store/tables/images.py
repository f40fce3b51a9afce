"""Registered radiographs."""

from datetime import datetime

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.domain.image_metadata import AGE_GROUPS, Sex, View
from backend.domain.images import Split
from backend.store.tables.columns import Table, known


class ImageRow(Table):
    """A registered radiograph; the same pixels are registered once."""

    __tablename__ = "image"
    __table_args__ = (
        CheckConstraint("width_px > 0 AND height_px > 0", name="size_positive"),
        known("split", Split),
        known("sex", Sex),
        known("age_group", AGE_GROUPS),
        known("view", View),
    )

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    source: Mapped[str]
    uri: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    pixel_hash: Mapped[str] = mapped_column(String(64), unique=True)
    width_px: Mapped[int]
    height_px: Mapped[int]
    original_width_px: Mapped[int | None]
    original_height_px: Mapped[int | None]
    look_hash: Mapped[str | None] = mapped_column(String(64))
    patient_key: Mapped[str] = mapped_column(index=True)
    split: Mapped[str | None] = mapped_column(index=True)
    sex: Mapped[str | None]
    age_group: Mapped[str | None]
    view: Mapped[str | None]
    registered_at: Mapped[datetime]
