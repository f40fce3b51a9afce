"""Which marks of an image lie over each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain import boxes as geometry
from backend.domain.boxes import Boxes
from backend.domain.reading_table import Numbers, ReadingTable

_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Pairs of marks of one image that overlap.

    Attributes
    ----------
    lefts, rights : ndarray of shape (n,)
        Rows of the table's marks, left before right; a mark may be in many pairs.
    ious : ndarray of shape (n,), [unitless]
        Their intersection over union, in (0, 1], rounded to nine decimals.
    containments : ndarray of shape (n,), [unitless]
        Their intersection over the smaller of the two, likewise.
    """

    lefts: Numbers
    rights: Numbers
    ious: NDArray[np.float64]
    containments: NDArray[np.float64]

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Overlaps":
        """Return some of the pairs.

        Parameters
        ----------
        rows : ndarray of int or bool
            Which.

        Returns
        -------
        Overlaps
            Those, in the given order.
        """
        return Overlaps(
            self.lefts[rows], self.rights[rows], self.ious[rows], self.containments[rows]
        )


def find_overlaps(table: ReadingTable) -> Overlaps:
    """Return the pairs of marks of one image that overlap, whoever drew them.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.

    Returns
    -------
    Overlaps
        The pairs, sorted by left, then right mark.
    """
    lefts, rights = pairs_within(table.mark_images)
    overlap = shared_areas(table.mark_boxes[lefts], table.mark_boxes[rights])
    is_pair = overlap > 0
    lefts, rights, overlap = lefts[is_pair], rights[is_pair], overlap[is_pair]
    areas = geometry.areas(table.mark_boxes)
    return Overlaps(
        lefts,
        rights,
        _rounded(overlap / (areas[lefts] + areas[rights] - overlap)),
        _rounded(overlap / np.minimum(areas[lefts], areas[rights])),
    )


def aligned_iou(left: Boxes, right: Boxes) -> NDArray[np.float64]:
    """Return the intersection over union of boxes in the same row.

    Parameters
    ----------
    left, right : ndarray of shape (n, 4), [px]
        Boxes.

    Returns
    -------
    ndarray of shape (n,), [unitless]
        In [0, 1], rounded to nine decimals.
    """
    overlap = shared_areas(left, right)
    return _rounded(overlap / (geometry.areas(left) + geometry.areas(right) - overlap))


def shared_areas(left: Boxes, right: Boxes) -> NDArray[np.float64]:
    """Return the area that boxes in the same row have in common.

    Parameters
    ----------
    left, right : ndarray of shape (n, 4), [px]
        Boxes.

    Returns
    -------
    ndarray of shape (n,), [px^2]
        Areas; 0 where they do not touch.
    """
    width = np.minimum(left[:, 2], right[:, 2]) - np.maximum(left[:, 0], right[:, 0])
    height = np.minimum(left[:, 3], right[:, 3]) - np.maximum(left[:, 1], right[:, 1])
    return np.asarray(np.clip(width, 0.0, None) * np.clip(height, 0.0, None), dtype=np.float64)


def pairs_within(groups: Numbers) -> tuple[Numbers, Numbers]:
    """Return all pairs of rows of the same group.

    Parameters
    ----------
    groups : ndarray of shape (n,)
        The group of every row, rising.

    Returns
    -------
    lefts : ndarray of shape (m,)
        Rows, rising.
    rights : ndarray of shape (m,)
        For each of them every later row of its group.

    Examples
    --------
    >>> lefts, rights = pairs_within(np.array([7, 7, 7, 9]))
    >>> lefts.tolist(), rights.tolist()
    ([0, 0, 1], [1, 2, 2])
    """
    rows = np.arange(len(groups))
    partners = np.searchsorted(groups, groups, side="right") - rows - 1
    lefts = np.repeat(rows, partners)
    firsts = np.cumsum(partners) - partners
    rights = lefts + 1 + np.arange(len(lefts)) - np.repeat(firsts, partners)
    return lefts, rights


def _rounded(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make equal overlaps equal, and thresholds sharp, at whatever scale boxes are given."""
    return np.asarray(shares.round(_DECIMALS), dtype=np.float64)
