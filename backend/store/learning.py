"""What the store knows of how much was learned, and of what the random sample showed."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.domain.acquisition.batch import Channel
from backend.domain.images import Split
from backend.domain.worklists import EntryState
from backend.store.tables import (
    DatasetImageRow,
    ModelVersionRow,
    PredictedBoxRow,
    PredictionRow,
    ReadingRow,
    WorklistEntryRow,
)


@dataclass(frozen=True, slots=True)
class Lesson:
    """One model version, and what it learned from.

    Attributes
    ----------
    model_version : str
        Which.
    images : int
        Images that it could learn from: those of its dataset version outside the test split.
    map40 : float
        What it reached on the test split, in [0, 1].
    test_images : frozenset of str
        The test split.
    """

    model_version: str
    images: int
    map40: float
    test_images: frozenset[str]


class Learning:
    """How the model versions grew, and what was drawn at random.

    Parameters
    ----------
    session : Session
        The transaction to read in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def lessons(self) -> list[Lesson]:
        """Return the model versions that were trained here and measured.

        Returns
        -------
        list of Lesson
            Oldest first; versions whose test split held no finding are missing.
        """
        query = (
            select(ModelVersionRow)
            .where(
                ModelVersionRow.map40.is_not(None), ModelVersionRow.dataset_version.is_not(None)
            )
            .order_by(ModelVersionRow.created_at, ModelVersionRow.name)
        )
        models = self._session.scalars(query).all()
        splits = {name: self._splits(name) for name in {one.dataset_version for one in models}}
        return [
            Lesson(one.name, images, one.map40 or 0.0, test_images)
            for one in models
            for images, test_images in [splits[one.dataset_version]]
        ]

    def _splits(self, dataset_version: str | None) -> tuple[int, frozenset[str]]:
        """Return how many images are not in the test split, and those that are."""
        row = DatasetImageRow
        of_version = row.dataset_version == dataset_version
        learned = self._session.scalar(
            select(func.count()).where(of_version, row.split != Split.TEST)
        )
        test = self._session.scalars(
            select(row.image_id).where(of_version, row.split == Split.TEST)
        )
        return learned or 0, frozenset(test)

    def audited(self) -> dict[str, float]:
        """Return the images that were drawn at random and read, as the model of the day saw them.

        Returns
        -------
        dict of str to float
            Image id to the highest calibrated score in [0, 1] of the boxes of the newest model
            version that was champion, and had answered, when the image was drawn; 0 without a
            box. What no champion had answered is missing.
        """
        entry, prediction, model = WorklistEntryRow, PredictionRow, ModelVersionRow
        has_reading = (
            select(ReadingRow.id)
            .where(
                ReadingRow.image_id == entry.image_id,
                ReadingRow.is_current,
                ReadingRow.state == "valid",
            )
            .exists()
        )
        highest = (
            select(func.max(PredictedBoxRow.score))
            .where(PredictedBoxRow.prediction_id == prediction.id)
            .scalar_subquery()
        )
        query = (
            select(entry.image_id, func.coalesce(highest, 0.0))
            .join(prediction, prediction.image_id == entry.image_id)
            .join(model, model.name == prediction.model_version)
            .where(
                entry.channel == Channel.RANDOM,
                entry.state == EntryState.READ,
                has_reading,
                prediction.predicted_at <= entry.created_at,
                model.promoted_at <= entry.created_at,
            )
            .order_by(model.promoted_at, prediction.id)
        )
        return {image_id: float(score) for image_id, score in self._session.execute(query)}

    def unread_empty(self, model_version: str, *, below: float) -> int:
        """Return how many images a model calls empty and nobody has read.

        Parameters
        ----------
        model_version : str
            Which model.
        below : float
            It calls an image empty when no box has this score.

        Returns
        -------
        int
            Images that it has answered.
        """
        marked = (
            select(PredictedBoxRow.id)
            .where(
                PredictedBoxRow.prediction_id == PredictionRow.id, PredictedBoxRow.score >= below
            )
            .exists()
        )
        is_read = (
            select(ReadingRow.id)
            .where(
                ReadingRow.image_id == PredictionRow.image_id,
                ReadingRow.is_current,
                ReadingRow.state == "valid",
            )
            .exists()
        )
        query = select(func.count()).where(
            PredictionRow.model_version == model_version, ~marked, ~is_read
        )
        return self._session.scalar(query) or 0
