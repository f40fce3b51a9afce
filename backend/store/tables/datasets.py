"""Dataset versions and their releases."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.domain.images import Split
from backend.store.tables.columns import Table, known


class DatasetVersionRow(Table):
    """An immutable cut of the consensus; the same content is kept once."""

    __tablename__ = "dataset_version"
    __table_args__ = (CheckConstraint("p_true_from BETWEEN 0 AND 1", name="p_true_from_is_share"),)

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    consensus_method: Mapped[str]
    p_true_from: Mapped[float]
    seed: Mapped[int | None] = mapped_column(BigInteger)
    left_out: Mapped[list[Any] | None] = mapped_column(JSON)
    created_at: Mapped[datetime]


class DatasetImageRow(Table):
    """An image of a dataset version, with the consensus that its boxes come from."""

    __tablename__ = "dataset_image"
    __table_args__ = (known("split", Split),)

    dataset_version: Mapped[str] = mapped_column(
        ForeignKey("dataset_version.name"), primary_key=True
    )
    image_id: Mapped[str] = mapped_column(ForeignKey("image.id"), primary_key=True)
    consensus_id: Mapped[int] = mapped_column(ForeignKey("consensus.id"))
    split: Mapped[str]
    is_adjudicated: Mapped[bool] = mapped_column(server_default=false())
    weight: Mapped[float] = mapped_column(server_default=text("1.0"))
    repeat_factor: Mapped[float] = mapped_column(server_default=text("1.0"))


class ReleaseRow(Table):
    """A dataset version written to disk in one format."""

    __tablename__ = "release"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    dataset_version: Mapped[str] = mapped_column(ForeignKey("dataset_version.name"))
    format: Mapped[str]
    uri: Mapped[str]
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
