"""The box that stands for the marks of a cluster, by how precisely each edge is drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Boxes
from backend.domain.consensus.grouping import Groups
from backend.domain.findings import Finding
from backend.domain.reading_table import Numbers, ReadingTable

_PASSES = 4
_TYPICAL_VARIANCE = 0.09**2
_STUDENT_FREEDOM = 4.0
_LARGEST_LEVERAGE = 0.8
_VARIANCE_PRIOR, _READER_PRIOR, _BIAS_PRIOR = 20.0, 30.0, 100.0


@dataclass(frozen=True, slots=True)
class Precision:
    """How precisely edges are drawn; lengths are shares of the box's width or height.

    Attributes
    ----------
    variance : ndarray of shape (14, 4)
        Of each edge of each finding, for a typical reader.
    reader_factor : ndarray of shape (r,)
        What each reader's variances are multiplied by; 1 is typical.
    bias : ndarray of shape (r, 4)
        By how much each reader puts each edge too far right or down.
    """

    variance: NDArray[np.float64]
    reader_factor: NDArray[np.float64]
    bias: NDArray[np.float64]


def usual_precision(readers: int) -> Precision:
    """Return what is thought of readers before anything was read.

    Parameters
    ----------
    readers : int
        How many.

    Returns
    -------
    Precision
        All typical: an error of 9 % of the side, without bias.
    """
    variance = np.full((len(Finding), 4), _TYPICAL_VARIANCE)
    return Precision(variance, np.ones(readers), np.zeros((readers, 4)))


def fit_precision(table: ReadingTable, groups: Groups) -> Precision:
    """Learn how precisely edges are drawn from clusters with several marks.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    groups : Groups
        The table's clusters.

    Returns
    -------
    Precision
        Drawn towards a typical error of 9 % of the side, and no bias, where there is little
        evidence.

    Notes
    -----
    Edge *e* of reader *r*'s mark in a cluster of finding *c* is ``m_e + bias_re size + error``,
    the error with variance ``variance_ce factor_r size^2`` and Student t tails (4 degrees of
    freedom). Four rounds of weighted means, residuals corrected by their leverage.
    """
    marks = _Marks.of(table, groups)
    usual = usual_precision(len(table.reader_ids))
    variance, factor, bias = usual.variance, usual.reader_factor, usual.bias
    weights = np.ones_like(table.mark_boxes)
    several = np.bincount(groups.cluster_of_mark, minlength=1)[groups.cluster_of_mark] > 1
    findings, readers = table.mark_findings[several], table.mark_readers[several]
    of_finding = np.bincount(findings, minlength=len(Finding))[:, None]
    of_reader = np.bincount(readers, minlength=len(factor))
    for _ in range(_PASSES):
        precision = Precision(variance, factor, bias)
        fit = marks.fit(precision, weights)
        weights = fit.weights
        scaled = (weights * fit.squares / factor[table.mark_readers][:, None])[several]
        variance = (
            _by_group(scaled, findings, len(Finding)) + _VARIANCE_PRIOR * _TYPICAL_VARIANCE
        ) / (of_finding + _VARIANCE_PRIOR)
        excess = (weights[several] * fit.squares[several] / variance[findings]).mean(axis=1)
        factor = (np.bincount(readers, excess, len(factor)) + _READER_PRIOR) / (
            of_reader + _READER_PRIOR
        )
        drift = weights[several] * fit.residuals[several]
        bias = bias + _by_group(drift, readers, len(factor)) / (of_reader[:, None] + _BIAS_PRIOR)
    return Precision(variance, factor, bias)


def fuse(table: ReadingTable, groups: Groups, precision: Precision) -> Boxes:
    """Return the box of every cluster.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    groups : Groups
        The table's clusters.
    precision : Precision
        Of the table's readers, in their order.

    Returns
    -------
    ndarray of shape (k, 4), [px]
        Robust weighted means of the marks, each edge between the smallest and the largest that
        anybody drew.
    """
    marks = _Marks.of(table, groups)
    fit = marks.fit(precision, np.ones_like(table.mark_boxes))
    for _ in range(_PASSES - 1):
        fit = marks.fit(precision, fit.weights)
    order = np.argsort(groups.cluster_of_mark, kind="stable")
    starts = np.searchsorted(groups.cluster_of_mark[order], np.arange(len(marks.means)))
    if not len(starts):
        return marks.means
    lowest = np.minimum.reduceat(table.mark_boxes[order], starts, axis=0)
    highest = np.maximum.reduceat(table.mark_boxes[order], starts, axis=0)
    fused = np.clip(fit.means, lowest, highest)
    is_box = np.all(fused[:, :2] < fused[:, 2:], axis=1, keepdims=True)
    return np.where(is_box, fused, np.clip(marks.means, lowest, highest))


def plain_means(boxes: Boxes, groups: Numbers, number: int) -> Boxes:
    """Return the mean box of every group.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4), [px]
        Boxes.
    groups : ndarray of shape (n,)
        The group of each.
    number : int
        How many groups there are; none is empty.

    Returns
    -------
    ndarray of shape (number, 4), [px]
        Means of the edges.
    """
    return _by_group(boxes, groups, number) / np.bincount(groups, minlength=number)[:, None]


@dataclass(frozen=True, slots=True)
class _Fit:
    """One pass: means per cluster; residuals (of the side), their squares, and next weights."""

    means: Boxes
    residuals: NDArray[np.float64]
    squares: NDArray[np.float64]
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Marks:
    """The marks of clusters, with the plain mean and the size of each cluster's box."""

    table: ReadingTable
    clusters: Numbers
    means: Boxes
    sizes: NDArray[np.float64]

    @classmethod
    def of(cls, table: ReadingTable, groups: Groups) -> "_Marks":
        """Gather them."""
        means = plain_means(table.mark_boxes, groups.cluster_of_mark, len(groups.first_marks))
        sides = means[:, 2:] - means[:, :2]
        sizes = np.hstack([sides, sides])[groups.cluster_of_mark]
        return cls(table, groups.cluster_of_mark, means, sizes)

    def fit(self, precision: Precision, weights: NDArray[np.float64]) -> _Fit:
        """Take weighted means, and judge every edge by them."""
        readers, number = self.table.mark_readers, len(self.means)
        shifted = self.table.mark_boxes - precision.bias[readers] * self.sizes
        variance = (
            precision.variance[self.table.mark_findings]
            * precision.reader_factor[readers][:, None]
        )
        exactness = weights / variance
        sums = _by_group(exactness, self.clusters, number)
        means = _by_group(exactness * shifted, self.clusters, number) / sums
        residuals = (shifted - means[self.clusters]) / self.sizes
        free = 1.0 - np.minimum(exactness / sums[self.clusters], _LARGEST_LEVERAGE)
        squares = residuals**2 / free
        next_weights = (_STUDENT_FREEDOM + 1.0) / (_STUDENT_FREEDOM + squares / variance)
        return _Fit(means, residuals / free, squares, next_weights)


def _by_group(values: NDArray[np.float64], groups: Numbers, number: int) -> NDArray[np.float64]:
    """Return sums of rows per group."""
    return np.stack([np.bincount(groups, column, number) for column in values.T], axis=1)
