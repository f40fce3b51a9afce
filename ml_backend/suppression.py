"""From a network's raw numbers to boxes: own decoding and suppression, without a time limit.

In numpy, whatever the network runs on: what is left of a pass is a few hundred places, torch takes
seconds to import and hundreds of megabytes, and its threads spin on the cores the network runs on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.domain.consensus.logistic import sigmoid
from ml_backend.runtimes.raw_output import Candidates

DUPLICATE_IOU = 0.5
"""Of two boxes of one finding that overlap more than this, the less confident one goes."""

BOXES_PER_FINDING = 100

_SPREAD_CANDIDATES = 300

_Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Boxes on the frames of a batch, by image and falling score.

    Attributes
    ----------
    images : ndarray of shape (n,)
        Index of the frame.
    findings : ndarray of shape (n,)
        Class ids.
    logits : ndarray of shape (n,)
        Before the sigmoid.
    boxes : ndarray of shape (n, 4), [px]
        Corners in the frame.
    spreads : ndarray of shape (n,), [px]
        How far an edge may be off: standard deviation, mean over the four edges. Not a number
        where nothing is known.
    """

    images: NDArray[np.int64]
    findings: NDArray[np.int64]
    logits: _Numbers
    boxes: _Numbers
    spreads: _Numbers

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> "Marks":
        """Return some of them.

        Parameters
        ----------
        chosen : ndarray
            Indices or a mask.

        Returns
        -------
        Marks
            In the order of the indices.
        """
        return Marks(
            self.images[chosen],
            self.findings[chosen],
            self.logits[chosen],
            self.boxes[chosen],
            self.spreads[chosen],
        )


def find_marks(candidates: Candidates, frame: tuple[int, int], *, strides: Sequence[int]) -> Marks:
    """Return the boxes that no better box of the same finding covers.

    Parameters
    ----------
    candidates : Candidates
        Where a network sees something in a batch.
    frame : (int, int), [px]
        Height and width of the frames.
    strides : sequence of int, [px]
        Distance of two places, per level of the head.

    Returns
    -------
    Marks
        By image and falling score; a place may carry several findings.

    Notes
    -----
    Keeps at most 100 boxes of a finding. The spread comes from the distribution over bins where
    the head has one. A head without bins (YOLO26) is asked through its neighbouring places: the
    spread is the score-weighted deviation of the boxes of the same finding that a kept box
    suppresses.
    """
    found = _decode(candidates, frame, strides)
    group = found.images * candidates.shape[1] + found.findings
    best = suppress(found.boxes, found.logits, group)
    best = best[np.lexsort((-found.logits[best], found.images[best]))]
    kept = found.take(best)
    if candidates.distances.shape[1] > 4:
        return kept
    return replace(kept, spreads=_spread_of_duplicates(kept, group[best], found, group))


def suppress(boxes: _Numbers, logits: _Numbers, group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which boxes no better box of the same group covers.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4), [px]
        Corners.
    logits : ndarray of shape (n,)
        The larger, the better; of equals the first is the better one.
    group : ndarray of shape (n,)
        Boxes of different groups do not compete.

    Returns
    -------
    ndarray of shape (m,)
        Indices, at most `BOXES_PER_FINDING` of each group, in no order to rely on.

    Notes
    -----
    Greedy suppression of all groups at once: every round keeps the best box that is left of each
    group and drops those that overlap it by more than `DUPLICATE_IOU`.

    Examples
    --------
    >>> boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10.0]])
    >>> suppress(boxes, np.array([0.1, 0.9, 0.5]), np.array([0, 0, 0])).tolist()
    [1, 2]
    """
    left = np.lexsort((-logits, group))
    kept = []
    for _ in range(BOXES_PER_FINDING):
        if not len(left):
            break
        own = group[left]
        first = np.flatnonzero(np.concatenate([[True], own[1:] != own[:-1]]))
        best = left[first]
        kept.append(best)
        members = np.diff(first, append=len(left))
        stays = _overlap(np.repeat(boxes[best], members, axis=0), boxes[left]) <= DUPLICATE_IOU
        stays[first] = False
        left = left[stays]
    return np.concatenate(kept) if kept else left


def _decode(candidates: Candidates, frame: tuple[int, int], strides: Sequence[int]) -> Marks:
    centre_x, centre_y, stride = _grid(candidates.places, frame, strides)
    distances = candidates.distances.astype(np.float64)
    bins = distances.shape[1] // 4
    if bins > 1:
        shares = _softmax(distances.reshape(-1, 4, bins))
        values = np.arange(bins, dtype=np.float64)
        distances = shares @ values
        variances = np.maximum(shares @ values**2 - distances**2, 0)
        spreads = np.sqrt(variances).mean(axis=1) * stride
    else:
        spreads = np.full(len(stride), np.nan)
    left, top, right, bottom = (distances * stride[:, None]).T
    boxes = np.column_stack([centre_x - left, centre_y - top, centre_x + right, centre_y + bottom])
    return Marks(
        candidates.images,
        candidates.findings,
        candidates.logits.astype(np.float64),
        boxes,
        spreads,
    )


def _softmax(logits: _Numbers) -> _Numbers:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _grid(
    places: NDArray[np.int64], frame: tuple[int, int], strides: Sequence[int]
) -> tuple[_Numbers, _Numbers, _Numbers]:
    """Return where places lie, and the stride of their level."""
    height_px, width_px = frame
    columns = np.array([width_px // stride for stride in strides])
    rows = np.array([height_px // stride for stride in strides])
    ends = np.cumsum(columns * rows)
    level = np.searchsorted(ends, places, side="right")
    row, column = np.divmod(places - (ends - columns * rows)[level], columns[level])
    stride = np.array(strides, dtype=np.float64)[level]
    return (column + 0.5) * stride, (row + 0.5) * stride, stride


def _spread_of_duplicates(
    kept: Marks, kept_group: NDArray[np.int64], found: Marks, group: NDArray[np.int64]
) -> _Numbers:
    """Return how far the boxes lie apart that mean the same as each that was kept."""
    by_group = np.lexsort((-found.logits, group))
    first, end = (np.searchsorted(group[by_group], kept_group, side) for side in ("left", "right"))
    members = np.minimum(end - first, _SPREAD_CANDIDATES)
    owner = np.repeat(np.arange(len(members)), members)
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(members) - members, members)
    member = by_group[first[owner] + rank]
    near = _overlap(kept.boxes[owner], found.boxes[member]) >= DUPLICATE_IOU
    owner, member = owner[near], member[near]

    def mean(numbers: _Numbers) -> _Numbers:
        weight = sigmoid(found.logits[member])
        total = np.bincount(owner, weight, len(members))
        sums = [np.bincount(owner, weight * each, len(members)) for each in numbers.T]
        least = np.finfo(np.float64).tiny
        return np.asarray(np.column_stack(sums) / np.maximum(total, least)[:, None])

    boxes = found.boxes[member]
    spread = np.sqrt(mean((boxes - mean(boxes)[owner]) ** 2)).mean(axis=1)
    return np.where(np.bincount(owner, minlength=len(members)) > 1, spread, np.nan)


def _overlap(one: _Numbers, other: _Numbers) -> _Numbers:
    """Return the IoU of boxes, pair by pair; 0 where both are empty."""
    inner = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = np.maximum(inner, 0).prod(axis=-1)
    areas = (one[..., 2:] - one[..., :2]).prod(axis=-1)
    areas = areas + (other[..., 2:] - other[..., :2]).prod(axis=-1)
    union = areas - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))
