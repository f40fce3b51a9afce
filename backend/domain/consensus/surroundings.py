"""What a cluster looks like, whoever of the readers voted for it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain import boxes as geometry
from backend.domain import overlaps
from backend.domain.boxes import Boxes
from backend.domain.consensus.grouping import Groups
from backend.domain.consensus.votes import Votes
from backend.domain.findings import Finding
from backend.domain.reading_table import Numbers, ReadingTable

Array = NDArray[np.float64]

FEATURES = 5 + 15 + 1 + 3 + len(Finding) + 1
"""How many numbers describe a cluster."""

_LARGEST_Z = 4.0
_FEWEST_CLUSTERS = 6


@dataclass(frozen=True, slots=True)
class Usual:
    """Where and how large the clusters of each finding usually are.

    Attributes
    ----------
    means, deviations : ndarray of shape (14, 5)
        Of log area, log aspect, distance from the middle, and centre; as shares of the image.
    """

    means: Array
    deviations: Array


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Clusters as described by some of an image's readers; one entry per description.

    Attributes
    ----------
    shapes : ndarray of shape (n, 5)
        Log area, log width over height, distance of the centre from the middle, centre x and y
        of the mean box, as shares of what the marks of the image span.
    other_marks : ndarray of shape (n,)
        ``log(1 + marks outside the cluster, per reader)``.
    overlaps : ndarray of shape (n, 3 + 14)
        Largest IoU with, and containment of, another mark of the finding; largest IoU with a
        mark of any other finding; the same for each finding.
    """

    shapes: Array
    other_marks: Array
    overlaps: Array

    def usual(self, findings: Numbers) -> Usual:
        """Return where and how large clusters usually are.

        Parameters
        ----------
        findings : ndarray of shape (n,)
            The finding of each description.

        Returns
        -------
        Usual
            Standard normal for findings with fewer than 6 descriptions.
        """
        means, deviations = np.zeros((len(Finding), 5)), np.ones((len(Finding), 5))
        for finding in Finding:
            shapes = self.shapes[findings == finding]
            if len(shapes) >= _FEWEST_CLUSTERS:
                means[finding] = shapes.mean(axis=0)
                deviations[finding] = np.maximum(shapes.std(axis=0), 1e-3)
        return Usual(means, deviations)

    def features(self, findings: Numbers, usual: Usual) -> Array:
        """Return what a regression can learn from.

        Parameters
        ----------
        findings : ndarray of shape (n,)
            The finding of each description.
        usual : Usual
            Where and how large clusters usually are.

        Returns
        -------
        ndarray of shape (n, FEATURES)
            Standard scores, their products, the rest, and 1.
        """
        scores = (self.shapes - usual.means[findings]) / usual.deviations[findings]
        scores = np.clip(scores, -_LARGEST_Z, _LARGEST_Z)
        first, second = np.triu_indices(scores.shape[1])
        products = scores[:, first] * scores[:, second]
        rest = (self.other_marks[:, None] - 1.0, self.overlaps, np.ones((len(scores), 1)))
        return np.hstack([scores, products, *rest])


def describe(
    table: ReadingTable, groups: Groups, votes: Votes
) -> tuple[Surroundings, Surroundings]:
    """Describe every cluster, by all readers and by all but one.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    groups : Groups
        The table's clusters.
    votes : Votes
        The votes on them.

    Returns
    -------
    by_all : Surroundings
        One entry per cluster.
    by_others : Surroundings
        One entry per vote: the cluster as if that reader had not read the image; without
        meaning where nobody else marked it.

    Notes
    -----
    Nothing here depends on who of the image's readers marked the cluster, only on what is
    marked elsewhere: one more vote for the very box that a cluster has leaves its description
    as it is. That makes the probabilities rise with every vote.
    """
    rows = _Rows.of(table, groups, votes)
    boxes = _boxes(table, groups, rows)
    shapes = _shapes(table, groups, rows, boxes)
    other_marks = _other_marks(table, groups, rows)
    touching = _touching(table, groups, rows, boxes)
    split = len(votes.clusters)
    by_others, by_all = (
        Surroundings(shapes[part], other_marks[part], touching[part])
        for part in (slice(None, split), slice(split, None))
    )
    return by_all, by_others


@dataclass(frozen=True, slots=True)
class _Rows:
    """One row per vote, then one per cluster: which reader is left out (-1: nobody)."""

    clusters: Numbers
    left_out: Numbers
    marks: Numbers
    own_mark: Numbers
    readers: Numbers

    @classmethod
    def of(cls, table: ReadingTable, groups: Groups, votes: Votes) -> "_Rows":
        """Lay the rows out: marks that remain, the mark left out (-1: none), readers left."""
        number = len(groups.first_marks)
        everybody = len(table.reader_ids)
        keys = groups.cluster_of_mark * everybody + table.mark_readers
        order = np.argsort(keys)
        own = np.full(len(votes.clusters), -1)
        wanted = (votes.clusters * everybody + votes.readers)[votes.is_mark]
        own[votes.is_mark] = order[np.searchsorted(keys[order], wanted)]
        marks, readings = votes.marks.astype(np.int64), votes.readings.astype(np.int64)
        return cls(
            np.append(votes.clusters, np.arange(number)),
            np.append(votes.readers, np.full(number, -1)),
            np.append(marks[votes.clusters] - votes.is_mark, marks),
            np.append(own, np.full(number, -1)),
            np.append(readings[votes.clusters] - 1, readings),
        )


def marks_of_images(table: ReadingTable, images: Numbers) -> tuple[Numbers, Numbers]:
    """Return every mark of certain images.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    images : ndarray of shape (n,)
        Images; one may be there several times.

    Returns
    -------
    rows : ndarray of shape (m,)
        Positions in `images`, rising.
    marks : ndarray of shape (m,)
        For each of them a mark of that image.
    """
    firsts = np.searchsorted(table.mark_images, images, side="left")
    lengths = np.searchsorted(table.mark_images, images, side="right") - firsts
    rows = np.repeat(np.arange(len(images)), lengths)
    return rows, np.repeat(firsts - np.cumsum(lengths) + lengths, lengths) + np.arange(len(rows))


def _boxes(table: ReadingTable, groups: Groups, rows: _Rows) -> Boxes:
    """Return the mean box of the marks that remain in each row; any box where none does."""
    number = len(groups.first_marks)
    sums = np.stack(
        [np.bincount(groups.cluster_of_mark, edge, number) for edge in table.mark_boxes.T], axis=1
    )
    left_out = np.where((rows.own_mark >= 0)[:, None], table.mark_boxes[rows.own_mark], 0.0)
    means = (sums[rows.clusters] - left_out) / np.maximum(rows.marks, 1)[:, None]
    anything = table.mark_boxes[groups.first_marks][rows.clusters]
    return np.where((rows.marks > 0)[:, None], means, anything)


def _shapes(table: ReadingTable, groups: Groups, rows: _Rows, boxes: Boxes) -> Array:
    spans = np.zeros((len(table.image_ids), 2))
    np.maximum.at(spans, table.mark_images, table.mark_boxes[:, 2:])
    span = np.maximum(spans, 1e-9)[table.mark_images[groups.first_marks][rows.clusters]]
    sides = np.maximum((boxes[:, 2:] - boxes[:, :2]) / span, 1e-6)
    centres = (boxes[:, 2:] + boxes[:, :2]) / (2.0 * span)
    return np.column_stack(
        [
            np.log(sides.prod(axis=1)),
            np.log(sides[:, 0] / sides[:, 1]),
            np.abs(centres[:, 0] - 0.5),
            centres,
        ]
    )


def _other_marks(table: ReadingTable, groups: Groups, rows: _Rows) -> Array:
    everybody = len(table.reader_ids)
    images = table.mark_images[groups.first_marks][rows.clusters]
    of_reading = np.bincount(
        table.mark_images * everybody + table.mark_readers,
        minlength=len(table.image_ids) * everybody,
    ).reshape(len(table.image_ids), everybody)
    own = np.where(rows.left_out >= 0, of_reading[images, rows.left_out], 0)
    others = of_reading.sum(axis=1)[images] - own - rows.marks
    return np.asarray(np.log1p(others / np.maximum(rows.readers, 1)))


def _touching(table: ReadingTable, groups: Groups, rows: _Rows, boxes: Boxes) -> Array:
    """Hold the mean box of each row against the marks outside its cluster of who is left."""
    images = table.mark_images[groups.first_marks][rows.clusters]
    row, mark = marks_of_images(table, images)
    is_outside = groups.cluster_of_mark[mark] != rows.clusters[row]
    is_outside &= table.mark_readers[mark] != rows.left_out[row]
    row, mark = row[is_outside], mark[is_outside]

    shared = overlaps.shared_areas(boxes[row], table.mark_boxes[mark])
    is_near = shared > 0
    row, mark, shared = row[is_near], mark[is_near], shared[is_near]
    own, other = geometry.areas(boxes[row]), geometry.areas(table.mark_boxes[mark])
    iou, containment = shared / (own + other - shared), shared / np.minimum(own, other)
    findings = table.mark_findings[mark]
    is_same = findings == table.mark_findings[groups.first_marks][rows.clusters[row]]
    found = np.zeros((len(rows.clusters), 3 + len(Finding)))
    np.maximum.at(found, (row[is_same], 0), iou[is_same])
    np.maximum.at(found, (row[is_same], 1), containment[is_same])
    is_other = ~is_same
    np.maximum.at(found, (row[is_other], 2), iou[is_other])
    np.maximum.at(found, (row[is_other], 3 + findings[is_other]), iou[is_other])
    return found
