"""How often two readers draw the same finding at the same place."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.metrics.quotients import quotient
from backend.domain.overlaps import Overlaps, find_overlaps, pairs_within
from backend.domain.reading_table import Numbers, ReadingTable


@dataclass(frozen=True, slots=True)
class ReaderMatrix:
    """Box agreement of every reader with every other.

    Attributes
    ----------
    reader_ids : tuple of str
        Rows and columns of the matrices, r readers.
    images : ndarray of shape (r, r)
        How many images both read; on the diagonal how many the reader read.
    f1 : ndarray of shape (r, r), [unitless]
        Pair F1 over all findings in [0, 1]; symmetric. NaN on the diagonal and where the two
        never read the same image or drew nothing on those that both read.
    f1_by_finding : ndarray of shape (14, r, r), [unitless]
        The same for every finding, by class id.
    """

    reader_ids: tuple[str, ...]
    images: Numbers
    f1: NDArray[np.float64]
    f1_by_finding: NDArray[np.float64]


def matched_marks(table: ReadingTable) -> Overlaps:
    """Match the marks of any two readers of an image one to one, within each finding.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.

    Returns
    -------
    Overlaps
        Matched pairs that overlap at all, sorted; a mark is matched at most once with each other
        reader. The pairs above a threshold are the matching at this threshold.

    Notes
    -----
    Of the overlapping pairs of two readers the one with the highest IoU is matched first, then
    the highest of those whose marks are both free, and so on; equal ones in the order of the
    boxes' coordinates.
    """
    pairs = find_overlaps(table)
    is_same = table.mark_findings[pairs.lefts] == table.mark_findings[pairs.rights]
    is_of_two = table.mark_readers[pairs.lefts] != table.mark_readers[pairs.rights]
    pairs = pairs.take(is_same & is_of_two)
    pairs = pairs.take(np.lexsort((pairs.rights, pairs.lefts, -pairs.ious)))
    matched = pairs.take(_best_first(*_slots(table, pairs)))
    return matched.take(np.lexsort((matched.rights, matched.lefts)))


def reader_matrix(table: ReadingTable, *, iou_threshold: float = 0.4) -> ReaderMatrix:
    """Return the box agreement of every reader with every other.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    iou_threshold : float
        Matched boxes must overlap by more than this.

    Returns
    -------
    ReaderMatrix
        Pair F1 and the number of images that both read.

    Notes
    -----
    Pair F1 is ``2 M / (B_p + B_q)``, M being the matched pairs and B_p, B_q the boxes of either
    reader on the images that both read.
    """
    findings, readers = len(Finding), len(table.reader_ids)
    size = findings * readers * readers
    matches = matched_marks(table)
    matches = matches.take(matches.ious > iou_threshold)
    places = _cell(
        table.mark_findings[matches.lefts],
        table.mark_readers[matches.lefts],
        table.mark_readers[matches.rights],
        readers,
    )
    matched = np.bincount(places, minlength=size).reshape(findings, readers, readers)
    drawn, images = _on_common_images(table)
    both, total = matched + matched.transpose(0, 2, 1), drawn + drawn.transpose(0, 2, 1)
    return ReaderMatrix(
        table.reader_ids, images, _f1(both.sum(axis=0), total.sum(axis=0)), _f1(both, total)
    )


def _slots(table: ReadingTable, pairs: Overlaps) -> tuple[Numbers, Numbers]:
    """Return what each pair takes: a mark for the other reader, the lower reader's first."""
    is_lower = table.mark_readers[pairs.lefts] < table.mark_readers[pairs.rights]
    lower = np.where(is_lower, pairs.lefts, pairs.rights)
    upper = np.where(is_lower, pairs.rights, pairs.lefts)
    readers = len(table.reader_ids)
    return (
        lower * readers + table.mark_readers[upper],
        upper * readers + table.mark_readers[lower],
    )


def _best_first(left_slots: Numbers, right_slots: Numbers) -> NDArray[np.intp]:
    """Return the rows, best first, whose slots no better row has taken."""
    chosen = []
    open_rows: NDArray[np.intp] = np.arange(len(left_slots))
    while len(open_rows):
        # First for both of its slots: no open row can take either before it.
        is_best = _is_first(left_slots[open_rows]) & _is_first(right_slots[open_rows])
        best = open_rows[is_best]
        chosen.append(best)
        open_rows = open_rows[
            ~np.isin(left_slots[open_rows], left_slots[best])
            & ~np.isin(right_slots[open_rows], right_slots[best])
        ]
    return np.concatenate([*chosen, np.zeros(0, dtype=np.intp)])


def _is_first(keys: Numbers) -> NDArray[np.bool_]:
    """Tell which rows are the first with their key."""
    is_first = np.zeros(len(keys), dtype=np.bool_)
    is_first[np.unique(keys, return_index=True)[1]] = True
    return is_first


def _on_common_images(table: ReadingTable) -> tuple[Numbers, Numbers]:
    """Return boxes by finding, their reader and the other reader; and images by both readers."""
    findings, readers = len(Finding), len(table.reader_ids)
    lefts, rights = pairs_within(table.reading_images)
    pairs = _cell(0, table.reading_readers[lefts], table.reading_readers[rights], readers)
    met = np.bincount(pairs, minlength=readers * readers).reshape(readers, readers)
    read = np.bincount(table.reading_readers, minlength=readers)
    images = met + met.T + np.diag(read)
    # Every mark meets each other reading of its image.
    starts = np.searchsorted(table.reading_images, table.mark_images, side="left")
    ends = np.searchsorted(table.reading_images, table.mark_images, side="right")
    marks = np.repeat(np.arange(len(starts)), ends - starts)
    firsts = np.cumsum(ends - starts) - (ends - starts)
    readings = np.arange(len(marks)) + np.repeat(starts - firsts, ends - starts)
    cells = _cell(
        table.mark_findings[marks],
        table.mark_readers[marks],
        table.reading_readers[readings],
        readers,
    )
    drawn = np.bincount(cells, minlength=findings * readers * readers)
    return drawn.reshape(findings, readers, readers), images


def _cell(finding: Numbers | int, row: Numbers, column: Numbers, readers: int) -> Numbers:
    """Return the place in a flattened (finding, reader, reader) array."""
    return (finding * readers + row) * readers + column


def _f1(both: Numbers, total: Numbers) -> NDArray[np.float64]:
    """Return twice the matches over the boxes, NaN where no boxes are and on the diagonal."""
    is_other = ~np.eye(total.shape[-1], dtype=np.bool_)
    return quotient(2 * both, total * is_other)
