"""Which predicted box takes which true box, as the PASCAL VOC metric defines it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.domain import overlaps
from backend.domain.metrics.box_table import BoxTable


class Nearest(NamedTuple):
    """The true box that each predicted one overlaps most.

    Attributes
    ----------
    truths : ndarray of shape (n,)
        Its row; -1 where nothing true is on the image.
    overlaps : ndarray of shape (n,), [unitless]
        Their IoU in [0, 1].
    """

    truths: NDArray[np.int64]
    overlaps: NDArray[np.float64]


def mark_hits(true: BoxTable, found: BoxTable, *, iou_threshold: float = 0.4) -> NDArray[np.bool_]:
    """Tell which marks of one finding are true, as `average_precision` defines it.

    Parameters
    ----------
    true, found : BoxTable
        True and predicted boxes of one finding.
    iou_threshold : float
        A predicted box must overlap a true one by more than this.

    Returns
    -------
    ndarray of shape (n,)
        For every predicted box, in the order of `found`.
    """
    return taken_truths(nearest_truths(true, found), iou_threshold) >= 0


def nearest_truths(true: BoxTable, found: BoxTable) -> Nearest:
    """Return for every predicted box the true box that it overlaps most, and how much.

    Parameters
    ----------
    true, found : BoxTable
        True and predicted boxes of one finding.

    Returns
    -------
    Nearest
        In the order of `found`; of equal overlaps the first true box.
    """
    by_image = np.argsort(true.images, kind="stable")
    images = true.images[by_image]
    first = np.searchsorted(images, found.images, side="left")
    number = np.searchsorted(images, found.images, side="right") - first
    row = np.repeat(np.arange(len(found.boxes)), number)
    steps = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    truth = by_image[np.repeat(first, number) + steps]
    iou = overlaps.aligned_iou(found.boxes[row], true.boxes[truth])
    nearest = np.full(len(found.boxes), -1, dtype=np.int64)
    overlap = np.zeros(len(found.boxes))
    # By rising overlap, of equal ones the first truth last: what is written last stays.
    order = np.lexsort((-steps, iou))
    nearest[row[order]] = truth[order]
    overlap[row[order]] = iou[order]
    return Nearest(nearest, overlap)


def taken_truths(nearest: Nearest, iou_threshold: float) -> NDArray[np.int64]:
    """Return which true box each predicted box is the first to take.

    Parameters
    ----------
    nearest : Nearest
        Of predicted boxes by falling score.
    iou_threshold : float
        A predicted box must overlap a true one by more than this.

    Returns
    -------
    ndarray of shape (n,)
        Row of the true box; -1 for a false mark.
    """
    near = np.where(nearest.overlaps > iou_threshold, nearest.truths, -1)
    taken = np.full(len(near), -1, dtype=np.int64)
    truths, firsts = np.unique(near, return_index=True)
    taken[firsts[truths >= 0]] = truths[truths >= 0]
    return taken
