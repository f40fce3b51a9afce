"""Save and find predictions."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.score_calibration import Scoring
from backend.store.membership import is_among
from backend.store.prediction_columns import PredictionReader
from backend.store.tables import (
    ImageRow,
    ModelVersionRow,
    PredictedBoxRow,
    PredictionRow,
    ScoringFailureRow,
)


class Predictions(PredictionReader):
    """The predictions kept in the store; one per image and model version, for ever.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, predictions: Sequence[Prediction], *, now: datetime) -> None:
        """Add predictions.

        Parameters
        ----------
        predictions : sequence of Prediction
            None of them there before.
        now : datetime
            The time; aware.
        """
        if not predictions:
            return
        connection = self._session.connection()  # many rows: several times faster than as objects
        ids = connection.scalars(
            insert(PredictionRow).returning(PredictionRow.id, sort_by_parameter_order=True),
            [
                {
                    "image_id": prediction.image_id,
                    "model_version": prediction.model_version,
                    "predicted_at": now,
                    "features": prediction.features,
                }
                for prediction in predictions
            ],
        ).all()
        boxes = [
            {
                "prediction_id": prediction_id,
                "finding": int(box.finding),
                **box.box._asdict(),
                "score": box.score,
                "raw_score": box.raw_score,
                "spread_px": box.spread_px,
            }
            for prediction_id, prediction in zip(ids, predictions, strict=True)
            for box in prediction.boxes
        ]
        if boxes:
            connection.execute(insert(PredictedBoxRow), boxes)

    def of_model(
        self, model_version: str, image_ids: Iterable[str] | None = None
    ) -> dict[str, Prediction]:
        """Return a model version's predictions.

        Parameters
        ----------
        model_version : str
            Whose.
        image_ids : iterable of str or None
            On which images; None for all.

        Returns
        -------
        dict of str to Prediction
            Ordered by image id; images without a prediction are missing.
        """
        chosen = select(PredictionRow.id, PredictionRow.image_id).where(
            PredictionRow.model_version == model_version
        )
        if image_ids is not None:
            chosen = chosen.where(is_among(PredictionRow.image_id, image_ids))
        images = dict(self._session.execute(chosen.order_by(PredictionRow.image_id)).all())
        boxes: dict[int, list[PredictedBox]] = {prediction_id: [] for prediction_id in images}
        ids = chosen.with_only_columns(PredictionRow.id)
        for row in self._session.connection().execute(
            select(PredictedBoxRow)
            .where(PredictedBoxRow.prediction_id.in_(ids))
            .order_by(PredictedBoxRow.id)
        ):
            boxes[row.prediction_id].append(
                PredictedBox(
                    finding=Finding(row.finding),
                    box=Box(row.x_min, row.y_min, row.x_max, row.y_max),
                    score=row.score,
                    id=row.id,
                    raw_score=row.raw_score,
                    spread_px=row.spread_px,
                )
            )
        scoring = self._session.scalar(
            select(ModelVersionRow.scoring).where(ModelVersionRow.name == model_version)
        )
        thresholds = {} if scoring is None else Scoring.from_json(scoring).thresholds
        return {
            image_id: Prediction(image_id, model_version, tuple(boxes[prediction_id]), thresholds)
            for prediction_id, image_id in images.items()
        }

    def image_ids(self, model_version: str, among: Iterable[str] | None = None) -> set[str]:
        """Return which images a model version has answered.

        Parameters
        ----------
        model_version : str
            Whose.
        among : iterable of str or None
            Of which images; None for all.

        Returns
        -------
        set of str
            Image ids.
        """
        query = select(PredictionRow.image_id).where(PredictionRow.model_version == model_version)
        if among is not None:
            query = query.where(is_among(PredictionRow.image_id, among))
        return set(self._session.scalars(query))

    def unanswered(self, model_version: str) -> list[str]:
        """Return the images that a model version has not answered.

        Parameters
        ----------
        model_version : str
            Whose.

        Returns
        -------
        list of str
            Image ids, sorted.
        """
        answered = select(PredictionRow.image_id).where(
            PredictionRow.model_version == model_version
        )
        query = select(ImageRow.id).where(ImageRow.id.not_in(answered)).order_by(ImageRow.id)
        return list(self._session.scalars(query))

    def features(self, model_version: str, image_ids: Iterable[str]) -> dict[str, bytes]:
        """Return what images look like to a model version.

        Parameters
        ----------
        model_version : str
            Whose.
        image_ids : iterable of str
            Of which images.

        Returns
        -------
        dict of str to bytes
            By image id; numbers of 16 bits, little-endian. Images without are missing.
        """
        query = select(PredictionRow.image_id, PredictionRow.features).where(
            PredictionRow.model_version == model_version,
            PredictionRow.features.is_not(None),
            is_among(PredictionRow.image_id, image_ids),
        )
        return {row.image_id: row.features for row in self._session.execute(query)}

    def note_failures(
        self, model_version: str, failed: Mapping[str, str], *, now: datetime
    ) -> None:
        """Remember images that could not be looked at.

        Parameters
        ----------
        model_version : str
            By whom.
        failed : mapping of str to str
            Image id to reason.
        now : datetime
            The time; aware.
        """
        for image_id, reason in failed.items():
            row = self._session.get(ScoringFailureRow, (image_id, model_version))
            if row is None:
                row = ScoringFailureRow(image_id=image_id, model_version=model_version, attempts=0)
                self._session.add(row)
            row.reason, row.failed_at = reason, now
            row.attempts += 1
        self._session.flush()

    def failures(self, model_version: str) -> dict[str, str]:
        """Return which images a model version could not look at, and has not since.

        Parameters
        ----------
        model_version : str
            By whom.

        Returns
        -------
        dict of str to str
            Image id to the last reason.
        """
        answered = select(PredictionRow.image_id).where(
            PredictionRow.model_version == model_version
        )
        query = (
            select(ScoringFailureRow.image_id, ScoringFailureRow.reason)
            .where(
                ScoringFailureRow.model_version == model_version,
                ScoringFailureRow.image_id.not_in(answered),
            )
            .order_by(ScoringFailureRow.image_id)
        )
        return {row.image_id: row.reason for row in self._session.execute(query)}

    def count(self) -> int:
        """Return how many predictions there are.

        Returns
        -------
        int
            Over all model versions.
        """
        return self._session.scalar(select(func.count()).select_from(PredictionRow)) or 0
