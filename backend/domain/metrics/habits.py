"""How often a reader draws each finding, compared with the others on the same images."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.metrics.quotients import Numbers
from backend.domain.reading_table import Numbers as Integers
from backend.domain.reading_table import ReadingTable

FEWEST_OTHERS = 3
"""With fewer other readers, a median would tell a reader about one of them."""
_FEWEST_MARKS = 10.0
_ROUNDS = 30
_NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Habit:
    """How often a reader draws a finding.

    Attributes
    ----------
    finding : Finding
        Which.
    ratio, low, high : float
        How often, over the median of the other readers, with its 95 % interval.
    boxes : int
        How many boxes of it the reader drew on images that others read, too.
    """

    finding: Finding
    ratio: float
    low: float
    high: float
    boxes: int

    @property
    def is_unusual(self) -> bool:
        """Whether the interval leaves out 1."""
        return self.low > 1 or self.high < 1


def compare_habits(table: ReadingTable) -> dict[str, tuple[Habit, ...]]:
    """Compare how often readers draw each finding, corrected for what they were given.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.

    Returns
    -------
    dict of str to tuple of Habit
        By reader. A finding is left out when fewer than `FEWEST_OTHERS` others have been
        measured, or when too few boxes are to be expected to say anything.

    Notes
    -----
    The boxes of reader r on image i are Poisson with the mean ``a_r b_i``: how readily the reader
    draws, times how much there is to be drawn. Both are fitted in turn (maximum likelihood); what
    is told is ``a_r`` over the median of the others'. Only images that several read count.
    """
    drawn, rates, due = _rates(table)
    rates[due < _FEWEST_MARKS] = np.nan
    return {
        reader_id: tuple(
            habit
            for finding in Finding
            if (habit := _habit(finding, reader, rates[:, finding], drawn[:, finding]))
        )
        for reader, reader_id in enumerate(table.reader_ids)
    }


def _rates(table: ReadingTable) -> tuple[Numbers, Numbers, Numbers]:
    """Return boxes, how readily they are drawn, and how many a usual reader would have drawn."""
    readers, findings = len(table.reader_ids), len(Finding)
    is_shared = np.bincount(table.reading_images)[table.reading_images] > 1
    keys = table.reading_images * readers + table.reading_readers
    reading = np.searchsorted(keys, table.mark_images * readers + table.mark_readers)
    boxes = np.bincount(
        reading * findings + table.mark_findings, minlength=len(keys) * findings
    ).reshape(-1, findings)[is_shared]
    images, reader = table.reading_images[is_shared], table.reading_readers[is_shared]
    _, image = np.unique(images, return_inverse=True)

    drawn = _sums(boxes, reader, readers)
    on_image = _sums(boxes, image, int(image.max(initial=-1)) + 1)
    rates: Numbers = np.ones((readers, findings))
    due: Numbers = np.zeros((readers, findings))
    for _ in range(_ROUNDS):
        there = on_image / np.maximum(_sums(rates[reader], image, len(on_image)), 1e-12)
        due = _sums(there[image], reader, readers)
        rates = drawn / np.maximum(due, 1e-12)
        rates = rates / np.maximum(drawn.sum(axis=0) / np.maximum(due.sum(axis=0), 1e-12), 1e-12)
    return drawn, rates, due


def _sums(values: NDArray[Any], groups: Integers, number: int) -> Numbers:
    """Return the sum of the rows of each group."""
    columns = [np.bincount(groups, column, number) for column in values.T]
    return np.stack(columns, axis=1).astype(np.float64)


def _habit(finding: Finding, reader: int, ratios: Numbers, drawn: Numbers) -> Habit | None:
    others = np.delete(ratios, reader)
    others = others[np.isfinite(others)]
    own = ratios[reader]
    if not np.isfinite(own) or len(others) < FEWEST_OTHERS:
        return None
    ratio = float(own + 0.01) / (float(np.median(others)) + 0.01)
    # Boxes of one image go together: twice the variance of a Poisson count.
    reach = np.exp(_NORMAL_95 * np.sqrt(2 / (drawn[reader] + 1)))
    return Habit(finding, ratio, float(ratio / reach), float(ratio * reach), int(drawn[reader]))
