"""Readings held against what is really there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain import boxes as geometry
from backend.domain.boxes import Box, Boxes
from backend.domain.findings import Finding
from backend.domain.metrics.box_agreement import matched_marks
from backend.domain.metrics.quotients import Numbers as Shares
from backend.domain.reading_table import Numbers, ReadingTable

FOUND_IOU = 0.4
"""A lesion is found by a box of its finding that overlaps it by more than this."""

_TRUTH = ""
"""Takes part in the matching as a reader whom nobody can be: ids are never empty."""


@dataclass(frozen=True, slots=True)
class JudgedReadings:
    """Readings of images whose truth is known.

    Attributes
    ----------
    reader_ids, image_ids : tuple of str
        All readers asked about, with or without such readings; the images whose truth is known.
    readers, images : ndarray of shape (m,)
        One entry per reading, sorted by image, then reader.
    is_abnormal : ndarray of shape (len(image_ids),)
        Whether there is a lesion.
    lesion_images, lesion_findings : ndarray of shape (l,)
        What is there.
    lesion_boxes : ndarray of shape (l, 4), [px]
        Where it is.
    chance_readings, chance_lesions : ndarray of shape (k,)
        One entry per reading and lesion of its image: a chance to find it.
    chance_ious : ndarray of shape (k,), [unitless]
        Overlap of the reader's box with the lesion, in (`FOUND_IOU`, 1]; NaN if it was missed.
    false_readings, false_findings : ndarray of shape (f,)
        One entry per mark that finds no lesion.
    false_boxes : ndarray of shape (f, 4), [px]
        Where that mark is.
    """

    reader_ids: tuple[str, ...]
    image_ids: tuple[str, ...]
    readers: Numbers
    images: Numbers
    is_abnormal: NDArray[np.bool_]
    lesion_images: Numbers
    lesion_findings: Numbers
    lesion_boxes: Boxes
    chance_readings: Numbers
    chance_lesions: Numbers
    chance_ious: Shares
    false_readings: Numbers
    false_findings: Numbers
    false_boxes: Boxes

    @property
    def is_hit(self) -> NDArray[np.bool_]:
        """Which chances were taken, of shape (k,)."""
        return np.isfinite(self.chance_ious)

    @property
    def chance_readers(self) -> Numbers:
        """Whose chances they were, of shape (k,)."""
        return self.readers[self.chance_readings]

    @property
    def chance_findings(self) -> Numbers:
        """Of which finding, of shape (k,)."""
        return self.lesion_findings[self.chance_lesions]

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Image id and reader id of every reading."""
        return [
            (self.image_ids[image], self.reader_ids[reader])
            for image, reader in zip(self.images.tolist(), self.readers.tolist(), strict=True)
        ]


def truth_table(truths: Mapping[str, Sequence[tuple[Finding, Box]]]) -> ReadingTable:
    """Return what is really there as columns.

    Parameters
    ----------
    truths : mapping of str to sequence of (Finding, Box)
        Image id to its lesions; none is an answer too.

    Returns
    -------
    ReadingTable
        Of one reader, the truth.
    """
    marks = [(image_id, *lesion) for image_id, lesions in truths.items() for lesion in lesions]
    return ReadingTable.of_rows(
        [(image_id, _TRUTH) for image_id in truths],
        [(image_id, _TRUTH, int(finding)) for image_id, finding, _ in marks],
        geometry.stack([box for *_, box in marks]),
    )


def judge(
    readings: ReadingTable, truth: ReadingTable, *, iou_threshold: float = FOUND_IOU
) -> JudgedReadings:
    """Hold readings against what is really there.

    Parameters
    ----------
    readings : ReadingTable
        Any readings; those of images without a known truth are left out.
    truth : ReadingTable
        From `truth_table`.
    iou_threshold : float
        A lesion is found by a box that overlaps it by more than this.

    Returns
    -------
    JudgedReadings
        Each box finds at most one lesion of its finding, the best overlap first.
    """
    both = _with_truth(readings, truth)
    is_truth = both.mark_readers == 0  # the empty name sorts first
    lesion_of = np.cumsum(is_truth) - 1
    readers_here = np.flatnonzero(both.reading_readers > 0)
    matched = matched_marks(both)
    is_found = (is_truth[matched.lefts] | is_truth[matched.rights]) & (
        matched.ious > iou_threshold
    )
    matched = matched.take(is_found)
    is_left = is_truth[matched.lefts]
    lesions = lesion_of[np.where(is_left, matched.lefts, matched.rights)]
    marks = np.where(is_left, matched.rights, matched.lefts)

    lesion_images = both.mark_images[is_truth]
    chance_readings, chance_lesions = _chances(both.reading_images[readers_here], lesion_images)
    ious = np.full(len(chance_readings), np.nan)
    size = max(1, len(lesion_images))
    taken = _readings_of(both, readers_here, marks) * size + lesions
    ious[np.searchsorted(chance_readings * size + chance_lesions, taken)] = matched.ious
    is_false = ~is_truth
    is_false[marks] = False
    order = {name: row for row, name in enumerate(readings.reader_ids)}
    renumbered = np.array([order.get(name, -1) for name in both.reader_ids], dtype=np.int64)
    return JudgedReadings(
        readings.reader_ids,
        both.image_ids,
        renumbered[both.reading_readers[readers_here]],
        both.reading_images[readers_here],
        np.bincount(lesion_images, minlength=len(both.image_ids)) > 0,
        lesion_images,
        both.mark_findings[is_truth],
        both.mark_boxes[is_truth],
        chance_readings,
        chance_lesions,
        ious,
        _readings_of(both, readers_here, np.flatnonzero(is_false)),
        both.mark_findings[is_false],
        both.mark_boxes[is_false],
    )


def _with_truth(readings: ReadingTable, truth: ReadingTable) -> ReadingTable:
    """Return the readings of the images whose truth is known, with the truth as a reader."""
    known = set(truth.image_ids)
    images, readers = np.array(readings.image_ids), np.array(readings.reader_ids)
    pairs = zip(
        images[readings.reading_images].tolist(),
        readers[readings.reading_readers].tolist(),
        strict=True,
    )
    is_known = np.isin(readings.mark_images, _positions(readings.image_ids, known))
    marks = zip(
        images[readings.mark_images[is_known]].tolist(),
        readers[readings.mark_readers[is_known]].tolist(),
        readings.mark_findings[is_known].tolist(),
        strict=True,
    )
    there = zip(truth.mark_images.tolist(), truth.mark_findings.tolist(), strict=True)
    return ReadingTable.of_rows(
        [*((image, _TRUTH) for image in truth.image_ids), *(p for p in pairs if p[0] in known)],
        [*((truth.image_ids[image], _TRUTH, finding) for image, finding in there), *marks],
        np.concatenate([truth.mark_boxes, readings.mark_boxes[is_known]]),
    )


def _positions(image_ids: Sequence[str], known: set[str]) -> list[int]:
    return [number for number, image_id in enumerate(image_ids) if image_id in known]


def _readings_of(
    table: ReadingTable, readings: NDArray[np.intp], marks: NDArray[np.intp]
) -> Numbers:
    """Return the place among some readings of the reading that each mark belongs to."""
    size = len(table.reader_ids)
    known = table.reading_images[readings] * size + table.reading_readers[readings]
    wanted = table.mark_images[marks] * size + table.mark_readers[marks]
    return np.searchsorted(known, wanted).astype(np.int64)


def _chances(reading_images: Numbers, lesion_images: Numbers) -> tuple[Numbers, Numbers]:
    """Return every reading with every lesion of its image, sorted."""
    starts = np.searchsorted(lesion_images, reading_images, side="left")
    lesions = np.searchsorted(lesion_images, reading_images, side="right") - starts
    readings = np.repeat(np.arange(len(reading_images)), lesions)
    firsts = np.cumsum(lesions) - lesions
    return readings, np.arange(len(readings)) + np.repeat(starts - firsts, lesions)
