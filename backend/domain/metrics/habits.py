"""How often a reader draws each finding, compared with the others on the same images."""

from dataclasses import dataclass

import numpy as np

from backend.domain.findings import Finding
from backend.domain.metrics.quotients import Numbers, quotient
from backend.domain.reading_table import ReadingTable

FEWEST_OTHERS = 3
"""With fewer other readers, a median would tell a reader about one of them."""
_FEWEST_MARKS = 10.0
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
    A reader's boxes over what the others drew on the same images, per reader, is the reader's
    ratio; what is told is that over the median ratio of the others. Only images that several
    read count.
    """
    drawn, due = _drawn_and_due(table)
    ratios = quotient(drawn, due)
    ratios[due < _FEWEST_MARKS] = np.nan
    return {
        reader_id: tuple(
            habit
            for finding in Finding
            if (habit := _habit(finding, reader, ratios[:, finding], drawn[:, finding]))
        )
        for reader, reader_id in enumerate(table.reader_ids)
    }


def _drawn_and_due(table: ReadingTable) -> tuple[Numbers, Numbers]:
    """Return boxes per reader and finding, and how many the others make one expect."""
    readers, findings = len(table.reader_ids), len(Finding)
    size = len(table.reading_images)
    keys = table.reading_images * readers + table.reading_readers
    reading = np.searchsorted(keys, table.mark_images * readers + table.mark_readers)
    own = np.bincount(reading * findings + table.mark_findings, minlength=size * findings)
    own = own.reshape(size, findings).astype(np.float64)
    on_image = np.zeros((len(table.image_ids), findings))
    np.add.at(on_image, table.reading_images, own)
    others = np.bincount(table.reading_images)[table.reading_images] - 1
    is_shared = others > 0
    expected = (on_image[table.reading_images] - own) / np.maximum(others, 1)[:, None]
    drawn, due = np.zeros((readers, findings)), np.zeros((readers, findings))
    np.add.at(drawn, table.reading_readers[is_shared], own[is_shared])
    np.add.at(due, table.reading_readers[is_shared], expected[is_shared])
    return drawn, due


def _habit(finding: Finding, reader: int, ratios: Numbers, drawn: Numbers) -> Habit | None:
    others = np.delete(ratios, reader)
    others = others[np.isfinite(others)]
    own = ratios[reader]
    if not np.isfinite(own) or len(others) < FEWEST_OTHERS:
        return None
    ratio = (own + 0.01) / (float(np.median(others)) + 0.01)
    # Boxes of one image go together: twice the variance of a Poisson count.
    reach = np.exp(_NORMAL_95 * np.sqrt(2 / (drawn[reader] + 1)))
    return Habit(finding, ratio, float(ratio / reach), float(ratio * reach), int(drawn[reader]))
