"""Readers, their Label Studio projects, and who may use the backend."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.store.tables.columns import Table, known


class ReaderRow(Table):
    """Somebody whose readings are kept; a pseudonym, never a name."""

    __tablename__ = "reader"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    active: Mapped[bool]
    added_at: Mapped[datetime]
    specialities: Mapped[str] = mapped_column(server_default="")  # class ids, comma-separated
    away_until: Mapped[datetime | None]


class ReadingProjectRow(Table):
    """A reader's own organisation and project in Label Studio."""

    __tablename__ = "reading_project"

    reader_id: Mapped[str] = mapped_column(ForeignKey("reader.id"), primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    organisation_id: Mapped[int]
    project_id: Mapped[int] = mapped_column(unique=True)
    user_id: Mapped[int | None]
    synced_until: Mapped[datetime | None]
    compared_at: Mapped[datetime | None]
    other_tasks: Mapped[int] = mapped_column(server_default="0")
    shown_order: Mapped[str | None] = mapped_column(Text)


class SetAsideTaskRow(Table):
    """A task in Label Studio that could not be read; looked at again in every sync."""

    __tablename__ = "set_aside_task"

    reader_id: Mapped[str] = mapped_column(ForeignKey("reader.id"), primary_key=True)
    task_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    why: Mapped[str]
    since: Mapped[datetime]


class AccountRow(Table):
    """A person or program that may use the backend."""

    __tablename__ = "account"
    __table_args__ = (
        known("role", ("reader", "manager", "admin")),
        CheckConstraint("role <> 'reader' OR reader_id IS NOT NULL", name="reader_is_named"),
    )

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    role: Mapped[str]
    reader_id: Mapped[str | None] = mapped_column(ForeignKey("reader.id"), unique=True)
    password_hash: Mapped[str | None]
    token_sha256: Mapped[str | None] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
