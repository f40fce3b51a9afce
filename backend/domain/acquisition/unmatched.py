"""What one model marks and the next one does not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Boxes
from backend.domain.overlaps import aligned_iou
from backend.domain.predictions import SHOWN_FROM_SCORE

SAME_PLACE_FROM_IOU = 0.4
"""Boxes that overlap as much mark the same place, whatever they call it."""


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """The boxes of a model on many images.

    Attributes
    ----------
    images : ndarray of shape (b,)
        Of every box, the number of its image.
    boxes : ndarray of shape (b, 4), [px]
        Where.
    scores : ndarray of shape (b,), [unitless]
        Calibrated confidence in [0, 1].
    """

    images: NDArray[np.int64]
    boxes: Boxes
    scores: NDArray[np.float64]


def unmatched_scores(before: Marks, now: Marks, *, images: int) -> NDArray[np.float64]:
    """Return how sure a model was of something that the next one does not mark.

    Parameters
    ----------
    before, now : Marks
        What the one and the next one mark.
    images : int
        Number of images.

    Returns
    -------
    ndarray of shape (images,), [unitless]
        Highest score in [0, 1] of an image's boxes that have no counterpart; 0 without one.
        Boxes that are too unsure to be shown to readers are passed over on both sides.
    """
    before, now = _shown(before), _shown(now)
    order = np.argsort(now.images, kind="stable")
    first = np.searchsorted(now.images[order], before.images, side="left")
    last = np.searchsorted(now.images[order], before.images, side="right")
    partners = last - first
    left = np.repeat(np.arange(len(before.images)), partners)
    place = np.arange(len(left)) - np.repeat(np.cumsum(partners) - partners, partners)
    right = order[np.repeat(first, partners) + place]

    is_matched = np.zeros(len(before.images), dtype=np.bool_)
    same = aligned_iou(before.boxes[left], now.boxes[right]) >= SAME_PLACE_FROM_IOU
    is_matched[left[same]] = True
    highest = np.zeros(images)
    np.maximum.at(highest, before.images[~is_matched], before.scores[~is_matched])
    return highest


def _shown(marks: Marks) -> Marks:
    chosen = marks.scores >= SHOWN_FROM_SCORE
    return Marks(marks.images[chosen], marks.boxes[chosen], marks.scores[chosen])
