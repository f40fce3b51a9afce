"""The methods by which readings can be reconciled, ours and those it is compared with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Boxes
from backend.domain.consensus import fusion, states, verdict
from backend.domain.consensus.alternatives import Alternatives
from backend.domain.consensus.panel import fit_panel
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import Verdict
from backend.domain.findings import Finding
from backend.domain.overlaps import aligned_iou, pairs_within
from backend.domain.reading_table import Numbers, ReadingTable

OVERREAD = "overread"
"""The method of this product; the others are there to compare with."""

WBF_IOU = 0.4
"""Overlap at which weighted boxes fusion joins boxes; the best on VinBigData."""


def by_overread(table: ReadingTable) -> Verdict:
    """Reconcile readings by what they tell about their readers.

    Parameters
    ----------
    table : ReadingTable
        All readings there are.

    Returns
    -------
    Verdict
        See `backend.domain.consensus.verdict.reconcile`.
    """
    survey = Survey.of(table)
    return verdict.reconcile(survey, fit_panel(survey))


def by_weighted_boxes(table: ReadingTable) -> Verdict:
    """Reconcile readings by weighted boxes fusion, every reader with the same weight.

    Parameters
    ----------
    table : ReadingTable
        All readings there are.

    Returns
    -------
    Verdict
        Score and p_true are the share of the image's readers that marked the box. Each mark
        supports the box of its finding that it overlaps most.

    References
    ----------
    R. Solovyev, W. Wang, T. Gabruseva, "Weighted boxes fusion: Ensembling boxes from
    different object detection models", Image and Vision Computing 107, 2021.
    """
    # Not at the top: it loads numba, a second that nothing else should pay.
    from ensemble_boxes import weighted_boxes_fusion  # noqa: PLC0415

    readers = _readers_of_images(table)
    rows: list[tuple[int, int, float]] = []
    boxes: list[NDArray[np.float64]] = []
    for image, marks in _marks_of_images(table):
        span = np.tile(table.mark_boxes[marks].max(axis=0)[2:], 2)
        of_readers = [
            marks[table.mark_readers[marks] == reader]
            for reader in np.unique(table.mark_readers[marks])
        ]
        silent = readers[image] - len(of_readers)
        fused, scores, findings = weighted_boxes_fusion(
            [table.mark_boxes[own] / span for own in of_readers] + [np.zeros((0, 4))] * silent,
            [np.ones(len(own)) for own in of_readers] + [np.zeros(0)] * silent,
            [table.mark_findings[own] for own in of_readers] + [np.zeros(0)] * silent,
            iou_thr=WBF_IOU,
        )
        boxes.append(fused * span)
        rows += [
            (image, int(finding), float(score))
            for finding, score in zip(findings, scores, strict=True)
        ]
    found = _Found.of(rows, np.vstack([np.zeros((0, 4)), *boxes]))
    return found.verdict(table, _nearest(table, found))


def by_majority(table: ReadingTable) -> Verdict:
    """Keep what more than half of the readers marked, as mean boxes.

    Parameters
    ----------
    table : ReadingTable
        All readings there are.

    Returns
    -------
    Verdict
        Score and p_true are the share of the image's readers.
    """
    survey = Survey.of(table)
    share = survey.votes.marks / survey.votes.readings
    kept = share > 0.5
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    means = fusion.plain_means(table.mark_boxes, survey.groups.cluster_of_mark, len(share))
    found = _Found(survey.images[kept], survey.votes.findings[kept], means[kept], share[kept])
    return found.verdict(table, number[survey.groups.cluster_of_mark])


def by_union(table: ReadingTable) -> Verdict:
    """Keep every mark as it is.

    Parameters
    ----------
    table : ReadingTable
        All readings there are.

    Returns
    -------
    Verdict
        Score and p_true are 1.
    """
    found = _Found(
        table.mark_images,
        table.mark_findings,
        table.mark_boxes,
        np.ones(len(table.mark_images)),
    )
    return found.verdict(table, np.arange(len(table.mark_images)))


METHODS: Mapping[str, Callable[[ReadingTable], Verdict]] = {
    OVERREAD: by_overread,
    "wbf": by_weighted_boxes,
    "majority": by_majority,
    "union": by_union,
}
"""By the name that a user gives."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Boxes with the share of the readers who stand behind each."""

    images: Numbers
    findings: Numbers
    boxes: Boxes
    shares: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, float]], boxes: Boxes) -> "_Found":
        """Stack rows of image, finding and share."""
        images, findings, shares = np.array(rows, dtype=np.float64).reshape(-1, 3).T
        return cls(images.astype(np.int64), findings.astype(np.int64), boxes, shares)

    def verdict(self, table: ReadingTable, cluster_of_mark: Numbers) -> Verdict:
        """Take the share of the readers for a probability."""
        number = len(self.images)
        supported = cluster_of_mark >= 0
        everybody = max(len(table.reader_ids), 1)
        votes = np.unique((cluster_of_mark * everybody + table.mark_readers)[supported])
        marks = np.bincount(votes // everybody, minlength=number)
        readings = _readers_of_images(table)[self.images]
        nothing = np.zeros(0, dtype=np.int64)
        certain = np.clip(self.shares, 0.0, 1.0)
        all_false = np.ones(len(table.image_ids))
        np.multiply.at(all_false, self.images, 1.0 - certain)
        return Verdict(
            table,
            self.images,
            self.findings,
            np.arange(number),
            self.boxes,
            certain,
            certain,
            tuple(
                states.state_of(own, readings=of_image, is_in_conflict=False)
                for own, of_image in zip(marks.tolist(), readings.tolist(), strict=True)
            ),
            cluster_of_mark,
            Alternatives(nothing, nothing, np.zeros(0)),
            all_false,
        )


def _readers_of_images(table: ReadingTable) -> Numbers:
    return np.bincount(table.reading_images, minlength=len(table.image_ids))


def _marks_of_images(table: ReadingTable) -> Iterator[tuple[int, Numbers]]:
    """Return each image that has marks, with the rows of those."""
    images, firsts = np.unique(table.mark_images, return_index=True)
    ends = np.append(firsts, len(table.mark_images))[1:]
    for image, first, end in zip(images.tolist(), firsts.tolist(), ends.tolist(), strict=True):
        yield image, np.arange(first, end)


def _nearest(table: ReadingTable, found: _Found) -> Numbers:
    """Return for every mark the box of its finding that it overlaps most; -1 for none."""
    # Marks and boxes together, by image and finding, so that pairs are found at once.
    images = np.append(table.mark_images, found.images)
    findings = np.append(table.mark_findings, found.findings)
    order = np.lexsort((findings, images))
    lefts, rights = pairs_within((images * len(Finding) + findings)[order])
    lefts, rights = order[lefts], order[rights]
    marks, boxes = np.minimum(lefts, rights), np.maximum(lefts, rights) - len(table.mark_images)
    is_pair = (marks < len(table.mark_images)) & (boxes >= 0)
    marks, boxes = marks[is_pair], boxes[is_pair]
    overlap = aligned_iou(table.mark_boxes[marks], found.boxes[boxes])
    nearest = np.full(len(table.mark_images), -1, dtype=np.int64)
    rising = np.argsort(overlap, kind="stable")
    nearest[marks[rising]] = np.where(overlap[rising] > 0, boxes[rising], -1)
    return nearest
