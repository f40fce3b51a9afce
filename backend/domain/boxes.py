"""Axis-aligned boxes in image pixels.

One box is a `Box`; many are an array of shape (n, 4). Both hold
``x_min, y_min, x_max, y_max`` in pixels of the registered image, origin top left.
Other conventions (Label Studio's percent, YOLO's centre form, the pixels of a larger
original) are turned into this one at the edge and never enter the domain.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Boxes: TypeAlias = NDArray[np.float64]


class MalformedBoxError(ValueError):
    """A box has no area, is not finite, or is not four numbers."""


class Box(NamedTuple):
    """One box.

    Attributes
    ----------
    x_min, y_min, x_max, y_max : float, [px]
        Left, upper, right and lower edge.
    """

    x_min: float
    y_min: float
    x_max: float
    y_max: float


def stack(rows: Sequence[Box]) -> Boxes:
    """Return boxes as one array.

    Parameters
    ----------
    rows : sequence of Box, [px]
        Boxes; none is normal.

    Returns
    -------
    ndarray of shape (n, 4), [px]
        The same boxes in the same order.
    """
    return np.asarray(rows, dtype=np.float64).reshape(-1, 4)


def check_boxes(boxes: Boxes) -> Boxes:
    """Return the boxes, or raise if one of them is not a box.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4), [px]
        Boxes as ``x_min, y_min, x_max, y_max``.

    Returns
    -------
    ndarray of shape (n, 4), [px]
        The same boxes.

    Raises
    ------
    MalformedBoxError
        If the shape is wrong, a number is not finite, or a side is not positive.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise MalformedBoxError(f"expected shape (n, 4), got {boxes.shape}")
    if not np.isfinite(boxes).all():
        raise MalformedBoxError("a coordinate is not finite")
    if (boxes[:, 2:] <= boxes[:, :2]).any():
        raise MalformedBoxError("a box has a side of zero or negative length")
    return boxes


def areas(boxes: Boxes) -> NDArray[np.float64]:
    """Return the area of every box.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4), [px]
        Boxes.

    Returns
    -------
    ndarray of shape (n,), [px^2]
        Areas.
    """
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), dtype=np.float64)


def pairwise_iou(left: Boxes, right: Boxes) -> NDArray[np.float64]:
    """Return the intersection over union of every left box with every right box.

    Parameters
    ----------
    left : ndarray of shape (n, 4), [px]
        Boxes along the rows.
    right : ndarray of shape (m, 4), [px]
        Boxes along the columns.

    Returns
    -------
    ndarray of shape (n, m), [unitless]
        Overlap in [0, 1]; 0 where the boxes do not touch, 1 where they are equal.

    Examples
    --------
    >>> whole = np.array([[0.0, 0.0, 10.0, 10.0]])
    >>> left_half = np.array([[0.0, 0.0, 5.0, 10.0]])
    >>> pairwise_iou(whole, left_half)
    array([[0.5]])
    """
    near = np.maximum(left[:, None, :2], right[None, :, :2])
    far = np.minimum(left[:, None, 2:], right[None, :, 2:])
    sides = np.clip(far - near, 0.0, None)
    overlap = sides[..., 0] * sides[..., 1]
    union = areas(left)[:, None] + areas(right)[None, :] - overlap
    return np.asarray(overlap / union, dtype=np.float64)
