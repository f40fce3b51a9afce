"""What a reader would have had to change to turn a model's boxes into the reading."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from backend.domain import boxes as geometry
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox
from backend.domain.readings import ReadBox

SAME_LESION_IOU = 0.4
"""Boxes of one finding that overlap by more than this mean the same lesion."""

LEFT_ALONE_IOU = 0.75
"""A box that overlaps the reader's by at least this needs no moving."""


class Edits(NamedTuple):
    """Changes to a model's boxes.

    Attributes
    ----------
    added, deleted, moved : int
        Boxes that were drawn, removed, and brought to the right place or size.
    """

    added: int
    deleted: int
    moved: int

    @property
    def total(self) -> int:
        """All of them together."""
        return sum(self)


def edits_between(shown: Sequence[PredictedBox], read: Sequence[ReadBox]) -> Edits:
    """Return what turns a model's boxes into those of a reading.

    Parameters
    ----------
    shown : sequence of PredictedBox
        What the model would show.
    read : sequence of ReadBox
        What the reader let stand.

    Returns
    -------
    Edits
        The changes; a box under another name is one to delete and one to add.

    Notes
    -----
    Within a finding, boxes are paired by falling overlap.

    Examples
    --------
    >>> from backend.domain.boxes import Box
    >>> here, there = Box(0, 0, 10, 10), Box(50, 50, 60, 60)
    >>> edits_between(
    ...     [PredictedBox(Finding.ILD, here, 0.9)],
    ...     [ReadBox(Finding.ILD, Box(0, 0, 10, 14)), ReadBox(Finding.ILD, there)],
    ... )
    Edits(added=1, deleted=0, moved=1)
    """
    kept, moved = 0, 0
    for finding in {one.finding for one in shown} & {one.finding for one in read}:
        for overlap in _paired(finding, shown, read):
            kept += 1
            moved += overlap < LEFT_ALONE_IOU
    return Edits(len(read) - kept, len(shown) - kept, moved)


def _paired(
    finding: Finding, shown: Sequence[PredictedBox], read: Sequence[ReadBox]
) -> list[float]:
    """Return the overlaps of the boxes that mean the same lesion."""
    overlaps = geometry.pairwise_iou(
        geometry.stack([one.box for one in shown if one.finding is finding]),
        geometry.stack([one.box for one in read if one.finding is finding]),
    )
    pairs = []
    while overlaps.size and overlaps.max() > SAME_LESION_IOU:
        row, column = np.unravel_index(np.argmax(overlaps), overlaps.shape)
        pairs.append(float(overlaps[row, column]))
        overlaps[row, :] = 0
        overlaps[:, column] = 0
    return pairs
