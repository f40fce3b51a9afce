"""Save and find predictions."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox, Prediction
from backend.store.membership import is_among
from backend.store.tables import PredictedBoxRow, PredictionRow


class Predictions:
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
                )
            )
        return {
            image_id: Prediction(image_id, model_version, tuple(boxes[prediction_id]))
            for prediction_id, image_id in images.items()
        }

    def image_ids(self, model_version: str) -> set[str]:
        """Return which images a model version has answered.

        Parameters
        ----------
        model_version : str
            Whose.

        Returns
        -------
        set of str
            Image ids.
        """
        query = select(PredictionRow.image_id).where(PredictionRow.model_version == model_version)
        return set(self._session.scalars(query))

    def count(self) -> int:
        """Return how many predictions there are.

        Returns
        -------
        int
            Over all model versions.
        """
        return self._session.scalar(select(func.count()).select_from(PredictionRow)) or 0
