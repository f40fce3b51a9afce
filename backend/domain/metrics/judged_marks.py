"""A detector's marks, held against the true boxes once, for all the figures made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.metrics import hits
from backend.domain.metrics.box_table import BoxTable
from backend.domain.metrics.hits import Nearest
from backend.domain.predictions import PredictedBox

SAME_PLACE_IOU = 0.4
"""A mark must overlap a true box by more than this to be true, as VinBigData has it."""


class UnevenEvaluationError(ValueError):
    """Truths and predictions are not of the same images."""


class ImpossibleWeightError(ValueError):
    """An image has no weight, or one that is not a number from 0 on; or all are 0."""


@dataclass(frozen=True, slots=True)
class JudgedMarks:
    """Marks of all findings by falling score, then by image and coordinates, and the truth.

    Attributes
    ----------
    image_ids : tuple of str
        All images, sorted; arrays name an image by its place here.
    weights : ndarray of shape (images,), [unitless]
        For how many images of everyday work each one stands; all 1 when the images are a plain
        sample of it.
    lesions, marks : BoxTable
        True and predicted boxes.
    nearest : Nearest
        For every mark the lesion of its finding that it overlaps most, by row of `lesions`.
    """

    image_ids: tuple[str, ...]
    weights: NDArray[np.float64]
    lesions: BoxTable
    marks: BoxTable
    nearest: Nearest

    @property
    def images(self) -> int:
        """How many images there are."""
        return len(self.image_ids)

    def taken(self, iou_threshold: float = SAME_PLACE_IOU) -> NDArray[np.int64]:
        """Return which lesion each mark is the first to take.

        Parameters
        ----------
        iou_threshold : float
            A mark must overlap its lesion by more than this.

        Returns
        -------
        ndarray of shape (n,)
            Row of `lesions`; -1 for a false mark.
        """
        return hits.taken_truths(self.nearest, iou_threshold)

    def on(self, chosen: NDArray[np.bool_]) -> "JudgedMarks":
        """Return the same for some of the images.

        Parameters
        ----------
        chosen : ndarray of shape (images,)
            Which.

        Returns
        -------
        JudgedMarks
            Their lesions and marks alone.
        """
        number = np.cumsum(chosen) - 1
        kept_lesions, kept_marks = chosen[self.lesions.images], chosen[self.marks.images]
        row = np.append(np.cumsum(kept_lesions) - 1, -1)  # -1 stays -1
        return JudgedMarks(
            tuple(np.array(self.image_ids, dtype=object)[chosen]),
            self.weights[chosen],
            _renumbered(self.lesions, kept_lesions, number),
            _renumbered(self.marks, kept_marks, number),
            Nearest(row[self.nearest.truths[kept_marks]], self.nearest.overlaps[kept_marks]),
        )


def judge_marks(
    truths: Mapping[str, Sequence[tuple[Finding, Box]]],
    predictions: Mapping[str, Sequence[PredictedBox]],
    *,
    weights: Mapping[str, float] | None = None,
) -> JudgedMarks:
    """Hold marks against the truth.

    Parameters
    ----------
    truths : mapping of str to sequence of (Finding, Box)
        Image id to true boxes; an image without findings has none.
    predictions : mapping of str to sequence of PredictedBox
        Image id to predicted boxes, of the same images; none is an answer too.
    weights : mapping of str to float or None
        For how many images of everyday work each image stands; every one for one when None.

    Returns
    -------
    JudgedMarks
        Truth, marks, and what each mark is nearest to.

    Raises
    ------
    UnevenEvaluationError
        If an image is on one side only.
    ImpossibleWeightError
        If an image has no weight, or one that is not a number from 0 on; or if all are 0.
    UnrankableScoreError
        If a score is not finite.
    MalformedBoxError
        If a box has no area or is not finite.
    """
    check_same_images(truths, predictions)
    image_ids = tuple(sorted(truths))
    lesions, marks = tables(truths, predictions)
    return judge_tables(image_ids, _weights(image_ids, weights), lesions, marks)


def judge_tables(
    image_ids: tuple[str, ...],
    weights: NDArray[np.float64],
    lesions: BoxTable,
    marks: BoxTable,
) -> JudgedMarks:
    """Hold marks against the truth; `judge_marks` for columns.

    Parameters
    ----------
    image_ids : tuple of str
        All images, sorted.
    weights : ndarray of shape (images,)
        For how many images of everyday work each one stands.
    lesions, marks : BoxTable
        True and predicted boxes; images by their place among the ids.

    Returns
    -------
    JudgedMarks
        Truth, marks, and what each mark is nearest to.
    """
    return JudgedMarks(image_ids, weights, lesions, marks, _nearest(lesions, marks))


def tables(
    truths: Mapping[str, Sequence[tuple[Finding, Box]]],
    predictions: Mapping[str, Sequence[PredictedBox]],
) -> tuple[BoxTable, BoxTable]:
    """Return true and predicted boxes as columns.

    Parameters
    ----------
    truths : mapping of str to sequence of (Finding, Box)
        Image id to true boxes.
    predictions : mapping of str to sequence of PredictedBox
        Image id to predicted boxes, of the same images.

    Returns
    -------
    tuple of BoxTable
        True boxes and predicted ones; images are numbered in the order of their ids.
    """
    number_of = {image_id: number for number, image_id in enumerate(sorted(truths))}
    return (
        BoxTable.of_rows(
            [
                (finding, number_of[image_id], box, 1.0)
                for image_id, boxes in truths.items()
                for finding, box in boxes
            ]
        ),
        BoxTable.of_rows(
            [
                (one.finding, number_of[image_id], one.box, one.score)
                for image_id, boxes in predictions.items()
                for one in boxes
            ]
        ),
    )


def check_same_images(truths: Mapping[str, object], predictions: Mapping[str, object]) -> None:
    """Raise if an image has truth but no prediction, or the reverse.

    Parameters
    ----------
    truths, predictions : mapping
        By image id.

    Raises
    ------
    UnevenEvaluationError
        If so.
    """
    for known, other, what in (
        (truths, predictions, "prediction"),
        (predictions, truths, "truth"),
    ):
        missing = sorted(set(known) - set(other))
        if missing:
            raise UnevenEvaluationError(
                f"{len(missing)} images have no {what}, the first is {missing[0]}; "
                "expected an entry for every image, an empty one where there is nothing"
            )


def _nearest(lesions: BoxTable, marks: BoxTable) -> Nearest:
    """Return for every mark the lesion of its finding that it overlaps most."""
    truths, overlaps = np.full(len(marks.boxes), -1, dtype=np.int64), np.zeros(len(marks.boxes))
    for finding in np.unique(marks.findings):
        rows = np.flatnonzero(marks.findings == finding)
        own = np.flatnonzero(lesions.findings == finding)
        found = hits.nearest_truths(lesions.take(own), marks.take(rows))
        truths[rows] = np.append(own, -1)[found.truths]
        overlaps[rows] = found.overlaps
    return Nearest(truths, overlaps)


def _renumbered(table: BoxTable, kept: NDArray[np.bool_], number: NDArray[np.int64]) -> BoxTable:
    own = table.take(np.flatnonzero(kept))
    return BoxTable(own.findings, number[own.images], own.boxes, own.scores)


def _weights(image_ids: Sequence[str], weights: Mapping[str, float] | None) -> NDArray[np.float64]:
    if weights is None:
        return np.ones(len(image_ids))
    missing = [image_id for image_id in image_ids if image_id not in weights]
    if missing:
        raise ImpossibleWeightError(
            f"{len(missing)} images have no weight, the first is {missing[0]}; expected one for "
            "every image of the test set"
        )
    found = np.array([weights[image_id] for image_id in image_ids], dtype=np.float64)
    if not (np.isfinite(found) & (found >= 0)).all() or (len(found) and not found.any()):
        raise ImpossibleWeightError("expected weights from 0 on, and one above 0")
    return found
