"""The chain: its runs, their steps, and what they said."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.domain.nights import RunState, StepState
from backend.store.tables.columns import Table, known


class NightRunRow(Table):
    """One run of the chain."""

    __tablename__ = "night_run"
    __table_args__ = (
        known("state", RunState),
        CheckConstraint("attempts >= 1", name="counts_from_one"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    attempts: Mapped[int]
    cancel_requested_at: Mapped[datetime | None]
    cancelled_by: Mapped[str | None]
    report: Mapped[dict[str, Any]]


class NightStepRow(Table):
    """A step of a run: what went in, what came out, and how far it is."""

    __tablename__ = "night_step"
    __table_args__ = (
        UniqueConstraint("run_id", "name"),
        known("state", StepState),
        CheckConstraint("attempts >= 1", name="counts_from_one"),
        CheckConstraint("duration_seconds >= 0", name="duration_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("night_run.id"))
    name: Mapped[str] = mapped_column(String(32))
    state: Mapped[str]
    inputs: Mapped[dict[str, Any]]
    inputs_sha256: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    duration_seconds: Mapped[float | None]
    attempts: Mapped[int]
    message: Mapped[str]
    part: Mapped[str]
    done: Mapped[int]
    total: Mapped[int]
    rate: Mapped[float | None]


class NightLineRow(Table):
    """Something that a run said."""

    __tablename__ = "night_line"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("night_run.id"), index=True)
    at: Mapped[datetime]
    text: Mapped[str]
