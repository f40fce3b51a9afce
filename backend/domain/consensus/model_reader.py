"""A model version as one more reader, of images on which it knows nothing of the readings."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from backend.domain import boxes as geometry
from backend.domain.predictions import SHOWN_FROM_SCORE, Prediction
from backend.domain.reading_table import ReadingTable

PREFIX = "model:"
"""What a model's reader id begins with. No person's does: a reader's name has no colon."""

LEAST_SCORE = SHOWN_FROM_SCORE
"""Boxes of at least this confidence are what a model marks: those that it would show."""


class Bar(StrEnum):
    """Why a model may not vote on an image; the first that holds is told."""

    TRAINED_ON = "it was trained on their readings"
    SHOWN_ON = "its boxes were shown to a reader"
    JUDGED_ON = "models are, or may come to be, judged on them"


class ModelMayNotVoteError(ValueError):
    """A model version may not join the readers."""


class TrainedOnTheseReadingsError(ModelMayNotVoteError):
    """A model would vote for what these readers have told it."""


class ShownToReadersError(ModelMayNotVoteError):
    """A model would vote again for boxes that a reader has taken over from it."""


class JudgedOnTheseImagesError(ModelMayNotVoteError):
    """A model would vote on what it is to be judged by."""


@dataclass(frozen=True, slots=True)
class ModelReader:
    """What a model version says about images, and where that is no news.

    Attributes
    ----------
    version : str
        The model version, for example "m3".
    predictions : mapping of str to Prediction
        By image id; without boxes it has read the image and marked nothing.
    trained_on : frozenset of str
        Images whose readings shaped it, by training or by choosing among epochs. Predictions of
        other images are cross-fitted: the model has not seen what they were read as.
    shown_on : frozenset of str
        Images of which a reader was shown its boxes.
    judged_on : frozenset of str
        Images of the test split, and those that may still come into it.
    """

    version: str
    predictions: Mapping[str, Prediction]
    trained_on: frozenset[str] = frozenset()
    shown_on: frozenset[str] = frozenset()
    judged_on: frozenset[str] = frozenset()

    @property
    def reader_id(self) -> str:
        """The name that it has among the readers."""
        return PREFIX + self.version

    def bar(self, image_id: str) -> Bar | None:
        """Return why it may not vote on an image.

        Parameters
        ----------
        image_id : str
            The image.

        Returns
        -------
        Bar or None
            None if it may, provided that it has said something.
        """
        barred = {
            Bar.TRAINED_ON: self.trained_on,
            Bar.SHOWN_ON: self.shown_on,
            Bar.JUDGED_ON: self.judged_on,
        }
        return next((bar for bar in Bar if image_id in barred[bar]), None)

    def bars(self, image_ids: Iterable[str]) -> dict[Bar, int]:
        """Return on how many images it has something to say and may not.

        Parameters
        ----------
        image_ids : iterable of str
            The images.

        Returns
        -------
        dict of Bar to int
            Reasons that do not occur are missing.
        """
        bars = [self.bar(image_id) for image_id in image_ids if image_id in self.predictions]
        counts = Counter(bar for bar in bars if bar is not None)
        return {bar: counts[bar] for bar in Bar if bar in counts}

    def where_allowed(self) -> "ModelReader":
        """Return the same model, silent where it may not vote.

        Returns
        -------
        ModelReader
            With the predictions of the other images.
        """
        allowed = {
            image_id: prediction
            for image_id, prediction in self.predictions.items()
            if self.bar(image_id) is None
        }
        return replace(self, predictions=allowed)

    def check(self, image_ids: Iterable[str]) -> None:
        """Refuse images on which it may not vote.

        Parameters
        ----------
        image_ids : iterable of str
            The images.

        Raises
        ------
        TrainedOnTheseReadingsError
            If it was trained on the readings of one of them.
        ShownToReadersError
            If its boxes were shown to a reader of one of them.
        JudgedOnTheseImagesError
            If it is or may come to be judged on one of them.
        """
        for bar, images in self.bars(image_ids).items():
            error, remedy = _REFUSALS[bar]
            raise error(f"{self.version} may not vote on {images} images: {bar}; {remedy}")


def is_model(reader_id: str) -> bool:
    """Return whether a reader is a model.

    Parameters
    ----------
    reader_id : str
        Of a reader.

    Returns
    -------
    bool
        Whether it is like `ModelReader.reader_id`.

    Examples
    --------
    >>> is_model("model:m3"), is_model("R1")
    (True, False)
    """
    return reader_id.startswith(PREFIX)


def model_among(reader_ids: Iterable[str]) -> str | None:
    """Return the model version among readers.

    Parameters
    ----------
    reader_ids : iterable of str
        For example those of a panel.

    Returns
    -------
    str or None
        None if all are people.

    Examples
    --------
    >>> model_among(["R1", "R2", "model:m3"])
    'm3'
    """
    return next((one.removeprefix(PREFIX) for one in reader_ids if is_model(one)), None)


def join(
    table: ReadingTable, model: ModelReader, *, least_score: float = LEAST_SCORE
) -> ReadingTable:
    """Return readings with those of a model.

    Parameters
    ----------
    table : ReadingTable
        Readings.
    model : ModelReader
        It reads the images of the table that it has predictions of.
    least_score : float
        Boxes with at least this confidence, in [0, 1], become marks.

    Returns
    -------
    ReadingTable
        With one reader more; marks of the model have no key.

    Raises
    ------
    ModelMayNotVoteError
        If it may not vote on one of these images, see `ModelReader.check`.
    """
    model.check(table.image_ids)
    answers = [model.predictions[one] for one in table.image_ids if one in model.predictions]
    boxes = [
        (answer.image_id, box)
        for answer in answers
        for box in answer.boxes
        if box.score >= least_score
    ]
    names, readers = np.array(table.image_ids, dtype=object), np.array(table.reader_ids, object)
    readings = zip(names[table.reading_images], readers[table.reading_readers], strict=True)
    marks = zip(
        names[table.mark_images],
        readers[table.mark_readers],
        table.mark_findings.tolist(),
        strict=True,
    )
    return ReadingTable.of_rows(
        [*readings, *((answer.image_id, model.reader_id) for answer in answers)],
        [*marks, *((image_id, model.reader_id, int(box.finding)) for image_id, box in boxes)],
        np.vstack([table.mark_boxes, geometry.stack([box.box for _, box in boxes])]),
        [*table.mark_keys.tolist(), *[-1] * len(boxes)],
    )


_REFUSALS: Mapping[Bar, tuple[type[ModelMayNotVoteError], str]] = {
    Bar.TRAINED_ON: (
        TrainedOnTheseReadingsError,
        "join a model that was not trained on them (cross-fitting: train one without them)",
    ),
    Bar.SHOWN_ON: (
        ShownToReadersError,
        "join a model that these readers have not seen, or have the images read unassisted",
    ),
    Bar.JUDGED_ON: (
        JudgedOnTheseImagesError,
        "images without a split get one with the next dataset version: overread retrain",
    ),
}
