"""Pairs of boxes within groups, and how far they overlap."""

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Boxes
from benchmarks.simulated_crowd.parameters import Numbers

Integers = NDArray[np.int64]


def pairs_within(groups: Integers) -> tuple[Integers, Integers]:
    """Return every pair of neighbours in sorted groups.

    Parameters
    ----------
    groups : ndarray of shape (n,)
        Ascending; equal numbers are a group.

    Returns
    -------
    firsts : ndarray of shape (k,)
        Positions.
    seconds : ndarray of shape (k,)
        The later position of each pair.

    Examples
    --------
    >>> pairs_within(np.array([4, 4, 4, 9]))
    (array([0, 1, 0]), array([1, 2, 2]))
    """
    found: list[NDArray[np.intp]] = [np.zeros(0, dtype=np.int64)]
    distance = 0
    while distance == 0 or len(found[-1]):
        distance += 1
        found.append(np.flatnonzero(groups[distance:] == groups[: max(len(groups) - distance, 0)]))
    firsts = np.concatenate(found)
    return firsts, firsts + np.repeat(np.arange(len(found)), [len(one) for one in found])


def overlaps(left: Boxes, right: Boxes) -> Numbers:
    """Return the intersection over union of each left box with the right one beside it.

    Parameters
    ----------
    left, right : ndarray of shape (n, 4), [px]
        Boxes.

    Returns
    -------
    ndarray of shape (n,)
        In [0, 1].

    Examples
    --------
    >>> overlaps(np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, 5, 10]]))
    array([0.5])
    """
    near, far = np.maximum(left[:, :2], right[:, :2]), np.minimum(left[:, 2:], right[:, 2:])
    shared = np.clip(far - near, 0, None).prod(axis=1)
    union = (left[:, 2:] - left[:, :2]).prod(axis=1) + (right[:, 2:] - right[:, :2]).prod(axis=1)
    return np.asarray(shared / (union - shared), dtype=np.float64)
