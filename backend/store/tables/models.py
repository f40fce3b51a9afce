"""Model versions, what they predicted, how they were trained."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.domain.models import ModelState
from backend.store.tables.columns import BoxColumns, Table, box_rules, known


class ModelVersionRow(Table):
    """A set of weights; at most one is champion."""

    __tablename__ = "model_version"
    __table_args__ = (
        known("state", ModelState),
        CheckConstraint("map40 BETWEEN 0 AND 1", name="map40_is_share"),
        Index(
            "uq_model_version_champion",
            "state",
            unique=True,
            sqlite_where=text("state = 'champion'"),
            postgresql_where=text("state = 'champion'"),
        ),
    )

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str]
    weights_uri: Mapped[str]
    weights_sha256: Mapped[str] = mapped_column(String(64))
    dataset_version: Mapped[str | None] = mapped_column(ForeignKey("dataset_version.name"))
    map40: Mapped[float | None]
    report: Mapped[dict[str, Any]]
    scoring: Mapped[dict[str, Any] | None]
    gate: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime]
    promoted_at: Mapped[datetime | None]
    shadow_since: Mapped[datetime | None]


class ModelServiceRow(Table):
    """One stretch of time in which a model version served."""

    __tablename__ = "model_service"

    id: Mapped[int] = mapped_column(primary_key=True)
    model_version: Mapped[str] = mapped_column(ForeignKey("model_version.name"), index=True)
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    actor: Mapped[str]
    reason: Mapped[str | None]


class PredictionRow(Table):
    """A model version's answer for an image; no boxes is an answer too."""

    __tablename__ = "prediction"
    __table_args__ = (UniqueConstraint("image_id", "model_version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[str] = mapped_column(ForeignKey("image.id"))
    model_version: Mapped[str] = mapped_column(ForeignKey("model_version.name"), index=True)
    predicted_at: Mapped[datetime]
    features: Mapped[bytes | None]


class PredictedBoxRow(BoxColumns, Table):
    """One box of a prediction."""

    __tablename__ = "predicted_box"
    __table_args__ = (
        *box_rules(),
        CheckConstraint("score BETWEEN 0 AND 1", name="score_is_share"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    prediction_id: Mapped[int] = mapped_column(ForeignKey("prediction.id"), index=True)
    score: Mapped[float]
    raw_score: Mapped[float | None]
    spread_px: Mapped[float | None]


class ScoringFailureRow(Table):
    """An image that a model version could not look at; tried again by the next run."""

    __tablename__ = "scoring_failure"

    image_id: Mapped[str] = mapped_column(ForeignKey("image.id"), primary_key=True)
    model_version: Mapped[str] = mapped_column(ForeignKey("model_version.name"), primary_key=True)
    reason: Mapped[str]
    attempts: Mapped[int]
    failed_at: Mapped[datetime]


class TrainingRunRow(Table):
    """One attempt to train a model version."""

    __tablename__ = "training_run"
    __table_args__ = (known("state", ("running", "finished", "failed")),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_version: Mapped[str] = mapped_column(ForeignKey("dataset_version.name"))
    model_version: Mapped[str | None] = mapped_column(ForeignKey("model_version.name"))
    state: Mapped[str]
    recipe: Mapped[dict[str, Any]]
    outcome: Mapped[str | None]
    progress: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
