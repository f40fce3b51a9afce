"""What a simulated table is compared with the real one by."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Boxes
from backend.domain.findings import Finding
from backend.domain.reading_table import ReadingTable
from benchmarks.simulated_crowd.pairs import Integers, overlaps, pairs_within
from benchmarks.simulated_crowd.parameters import Numbers

CLUSTER_IOU, PAIR_IOU, LEAST_IOU = 0.3, 0.4, 0.1
"""IoU above which marks are a cluster, two readers agree, marks have to do with each other."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """Marks of different readers that overlap by more than 0.3, by image and finding.

    Attributes
    ----------
    of_marks : ndarray of shape (n,)
        The cluster of every mark.
    images, findings, votes : ndarray of shape (k,)
        Of every cluster.
    boxes : ndarray of shape (k, 4), [px]
        Mean of the marks.
    """

    of_marks: Integers
    images: Integers
    findings: Integers
    votes: Integers
    boxes: Boxes


@dataclass(frozen=True, slots=True)
class ReadingStatistics:
    """How far the readers of some images agree. Only images that all of them marked count.

    Attributes
    ----------
    images : int
        How many count.
    clusters : ndarray of shape (14, 3)
        Clusters per image with one, two, three votes, by finding.
    marks_per_reading : ndarray of shape (readers,)
        Ascending.
    pair_f1 : ndarray of shape (15,)
        Of two readers at IoU 0.4, by finding; the last is of all findings.
    mean_iou : ndarray of shape (15,)
        Of one-to-one pairs of marks of two readers with an IoU above 0.1.
    cross_class : float
        Pairs of marks of two readers, of two findings, with an IoU above 0.4; per image.
    same_rectangles : float
        Pairs of marks of one reader, of two findings, at the same rectangle; per image.
    found_by_any, found_by_all : ndarray of shape (14,)
        Share of the images where some, and where all readers mark the finding.
    distinct : ndarray of shape (2,)
        Mean and standard deviation of the number of findings that an image is said to have.
    """

    images: int
    clusters: Numbers
    marks_per_reading: Numbers
    pair_f1: Numbers
    mean_iou: Numbers
    cross_class: float
    same_rectangles: float
    found_by_any: Numbers
    found_by_all: Numbers
    distinct: Numbers

    @property
    def vote_shares(self) -> Numbers:
        """Share of the clusters with one, two and three votes."""
        return np.asarray(self.clusters.sum(axis=0) / self.clusters.sum(), dtype=np.float64)


def cluster(table: ReadingTable) -> Clusters:
    """Join overlapping marks of different readers, by falling IoU.

    Parameters
    ----------
    table : ReadingTable
        Marks; at most 62 readers.

    Returns
    -------
    Clusters
        Each with at most one mark of a reader.
    """
    firsts, seconds, _ = _same_finding_pairs(table, CLUSTER_IOU)
    seen = [1 << reader for reader in table.mark_readers.tolist()]
    parents = list(range(len(seen)))

    def root(mark: int) -> int:
        while parents[mark] != mark:
            mark = parents[mark]
        return mark

    for first, second in zip(firsts.tolist(), seconds.tolist(), strict=True):
        left, right = root(first), root(second)
        if left != right and not seen[left] & seen[right]:
            parents[right] = left
            seen[left] |= seen[right]
    roots, of_marks = np.unique(
        np.array([root(mark) for mark in range(len(seen))], dtype=np.int64), return_inverse=True
    )
    votes = np.bincount(of_marks, minlength=len(roots))
    sums = np.stack(
        [np.bincount(of_marks, edge, len(roots)) for edge in table.mark_boxes.T], axis=1
    )
    return Clusters(
        of_marks,
        table.mark_images[roots],
        table.mark_findings[roots],
        votes,
        sums / votes[:, None],
    )


def measure(table: ReadingTable) -> ReadingStatistics:
    """Return how far the readers agree.

    Parameters
    ----------
    table : ReadingTable
        Readings of images that three readers read each.

    Returns
    -------
    ReadingStatistics
        Of the images that all three marked.
    """
    table = marked_by_all(table)
    images = len(table.image_ids)
    clusters = cluster(table)
    presence = np.zeros((images, len(table.reader_ids), len(Finding)), dtype=np.bool_)
    presence[table.mark_images, table.mark_readers, table.mark_findings] = True
    by = presence.sum(axis=1)
    distinct = (by > 0).sum(axis=1)
    marks = np.bincount(table.mark_readers, minlength=len(table.reader_ids))
    read = np.bincount(table.reading_readers, minlength=len(table.reader_ids))
    cross, same = _between_findings(table)
    return ReadingStatistics(
        images=images,
        clusters=votes_by_finding(clusters) / images,
        marks_per_reading=np.sort(marks / np.maximum(read, 1)),
        pair_f1=_pair_f1(table),
        mean_iou=_mean_iou(table),
        cross_class=cross / images,
        same_rectangles=same / images,
        found_by_any=(by > 0).mean(axis=0),
        found_by_all=(by == 3).mean(axis=0),
        distinct=np.array([distinct.mean(), distinct.std()]),
    )


def votes_by_finding(clusters: Clusters) -> Numbers:
    """Count the clusters.

    Parameters
    ----------
    clusters : Clusters
        Of three readers' marks.

    Returns
    -------
    ndarray of shape (14, 3)
        How many have one, two and three votes, by finding.
    """
    votes = np.zeros((len(Finding), 3))
    np.add.at(votes, (clusters.findings, clusters.votes - 1), 1)
    return votes


def marked_by_all(table: ReadingTable) -> ReadingTable:
    """Return the images on which every reader marked something.

    Parameters
    ----------
    table : ReadingTable
        Any readings.

    Returns
    -------
    ReadingTable
        Those images, numbered anew; the readers keep their numbers.
    """
    pairs = np.unique(np.stack([table.mark_images, table.mark_readers]), axis=1)[0]
    marked = np.bincount(pairs, minlength=len(table.image_ids))
    is_kept = marked == np.bincount(table.reading_images, minlength=len(table.image_ids))
    numbers = np.cumsum(is_kept) - 1
    kept = table.readings_only(is_kept[table.reading_images])
    return replace(
        kept,
        image_ids=tuple(np.array(table.image_ids)[is_kept].tolist()),
        reading_images=numbers[kept.reading_images],
        mark_images=numbers[kept.mark_images],
    )


def _same_finding_pairs(table: ReadingTable, least: float) -> tuple[Integers, Integers, Numbers]:
    """Return pairs of two readers' marks of a finding above an IoU, by falling IoU."""
    firsts, seconds = pairs_within(table.mark_images * 100 + table.mark_findings)
    iou = overlaps(table.mark_boxes[firsts], table.mark_boxes[seconds])
    is_pair = (table.mark_readers[firsts] != table.mark_readers[seconds]) & (iou > least)
    firsts, seconds, iou = firsts[is_pair], seconds[is_pair], iou[is_pair]
    order = np.argsort(-iou, kind="stable")
    return firsts[order], seconds[order], iou[order]


def _one_to_one(table: ReadingTable, firsts: Integers, seconds: Integers) -> NDArray[np.bool_]:
    """Tell which pairs are the first, between their readers, of both their marks."""
    taken: set[tuple[int, int]] = set()
    is_kept = np.zeros(len(firsts), dtype=np.bool_)
    readers = table.mark_readers.tolist()
    for row, (first, second) in enumerate(zip(firsts.tolist(), seconds.tolist(), strict=True)):
        ends = {(first, readers[second]), (second, readers[first])}
        if not ends & taken:
            taken |= ends
            is_kept[row] = True
    return is_kept


def _pair_f1(table: ReadingTable) -> Numbers:
    """Return twice the matches over the marks of both, summed over the pairs of readers."""
    firsts, seconds, _ = _same_finding_pairs(table, PAIR_IOU)
    firsts = firsts[_one_to_one(table, firsts, seconds)]
    matches = np.bincount(table.mark_findings[firsts], minlength=len(Finding))
    # Each mark of three readers is in two pairs.
    marks = np.bincount(table.mark_findings, minlength=len(Finding)) * 2
    return np.append(matches / np.maximum(marks, 1), matches.sum() / max(marks.sum(), 1)) * 2


def _mean_iou(table: ReadingTable) -> Numbers:
    firsts, seconds, iou = _same_finding_pairs(table, LEAST_IOU)
    kept = _one_to_one(table, firsts, seconds)
    findings, iou = table.mark_findings[firsts[kept]], iou[kept]
    sums = np.bincount(findings, iou, len(Finding))
    counts = np.bincount(findings, minlength=len(Finding))
    return np.append(sums / np.maximum(counts, 1), iou.mean() if len(iou) else 0.0)


def _between_findings(table: ReadingTable) -> tuple[int, int]:
    """Return the pairs of two findings: of two readers above 0.4, of one at one rectangle."""
    firsts, seconds = pairs_within(table.mark_images)
    is_other = table.mark_findings[firsts] != table.mark_findings[seconds]
    firsts, seconds = firsts[is_other], seconds[is_other]
    left, right = table.mark_boxes[firsts], table.mark_boxes[seconds]
    is_one_reader = table.mark_readers[firsts] == table.mark_readers[seconds]
    is_near = overlaps(left, right) > PAIR_IOU
    is_same = (left == right).all(axis=1)
    return int((is_near & ~is_one_reader).sum()), int((is_same & is_one_reader).sum())
