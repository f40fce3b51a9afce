"""How readers see, estimated from three readers of the same images."""

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.reading_table import ReadingTable
from benchmarks.simulated_crowd import statistics as crowd_statistics
from benchmarks.simulated_crowd.pairs import Integers, overlaps, pairs_within
from benchmarks.simulated_crowd.parameters import Numbers
from benchmarks.simulated_crowd.statistics import Clusters

FINDINGS = len(Finding)


def skill(table: ReadingTable, clusters: Clusters) -> tuple[Numbers, float]:
    """Return logits of marking what both others mark, and their spread by reader and finding.

    Parameters
    ----------
    table : ReadingTable
        Readings of three readers each.
    clusters : Clusters
        Its clusters.

    Returns
    -------
    sensitivity : ndarray of shape (14,)
        Logits, lowered a little: what two have seen is easy.
    reader_finding_sd : float
        Of what is left of a logit without the finding and the reader.
    """
    voted = np.zeros((len(clusters.votes), 3), dtype=np.bool_)
    voted[clusters.of_marks, table.mark_readers] = True
    counts = np.zeros((2, 3, FINDINGS))
    for reader in range(3):
        others = np.delete(voted, reader, axis=1).all(axis=1)
        for hit in (0, 1):
            chosen = others & (voted[:, reader] == bool(hit))
            counts[hit, reader] = np.bincount(clusters.findings[chosen], minlength=FINDINGS)
    logits = np.log((counts[1] + 0.5) / (counts[0] + 0.5))
    variances = 1 / (counts[1] + 0.5) + 1 / (counts[0] + 0.5)
    mean = (logits / variances).sum(axis=0) / (1 / variances).sum(axis=0)
    away = logits - mean
    own = (away / variances).sum(axis=1) / (1 / variances).sum(axis=1)
    excess = (away - own[:, None]) ** 2 - variances
    weights = 1 / (variances + 0.1)
    # Two of three readers are free once the mean is taken.
    by_finding = 1.5 * float((excess * weights).sum() / weights.sum())
    return mean - 0.5, float(np.sqrt(max(by_finding, 0.01)))


def edges(table: ReadingTable, clusters: Clusters) -> tuple[Numbers, float, float]:
    """Return how far edges of lesions are missed that all three readers marked.

    Parameters
    ----------
    table : ReadingTable
        Readings of three readers each.
    clusters : Clusters
        Its clusters.

    Returns
    -------
    scale : ndarray of shape (14, 4)
        Robust standard deviation of each edge, as a share of the side.
    noise_sd : float
        Of ln of a reader's factor on it.
    bias_sd : float
        Of how far a reader puts edges outwards, as a share of the side.
    """
    full = clusters.votes[clusters.of_marks] == 3
    order = np.lexsort((table.mark_readers[full], clusters.of_marks[full]))
    boxes = table.mark_boxes[full][order].reshape(-1, 3, 4)
    findings = table.mark_findings[full][order].reshape(-1, 3)[:, 0]
    sides = (boxes[:, :, 2:] - boxes[:, :, :2]).mean(axis=1, keepdims=True)
    away = (boxes - boxes.mean(axis=1, keepdims=True)) / np.tile(sides, 2)
    scale = 1.4826 * np.sqrt(1.5)  # of a median deviation from the mean of three
    noise = np.array(
        [np.median(np.abs(away[findings == one]), axis=(0, 1)) for one in range(FINDINGS)]
    )
    outwards = (away * [-1, -1, 1, 1]).mean(axis=(0, 2))
    by_reader = np.median(np.abs(away), axis=(0, 2))
    # A reader pulls the mean of three by a third of his own excess.
    return noise * scale, float(np.log(by_reader).std(ddof=1) * 1.5), float(outwards.std(ddof=1))


def namings(table: ReadingTable, clusters: Clusters) -> tuple[Numbers, Numbers, Numbers]:
    """Return the shares of hits named otherwise, named twice, and of lesions with company.

    Parameters
    ----------
    table : ReadingTable
        Readings of three readers each.
    clusters : Clusters
        Its clusters.

    Returns
    -------
    confusion : ndarray of shape (14, 14)
        Shares of the row's hits named as the column instead.
    second_name : ndarray of shape (14, 14)
        Shares of the row's hits named as the column too.
    colocated : ndarray of shape (14, 14)
        Shares of the row's lesions that come with one of the column.
    """
    firsts, seconds = pairs_within(table.mark_images)
    iou = overlaps(table.mark_boxes[firsts], table.mark_boxes[seconds])
    is_near = (iou > 0.4) & (table.mark_findings[firsts] != table.mark_findings[seconds])
    firsts, seconds = firsts[is_near], seconds[is_near]
    left, right = np.append(firsts, seconds), np.append(seconds, firsts)
    home, other = clusters.of_marks[left], clusters.of_marks[right]
    lonely = clusters.votes[other] == 1
    seen = {(int(k), int(r)) for k, r in zip(clusters.of_marks, table.mark_readers, strict=True)}
    reader = table.mark_readers[right]
    is_also = np.array([(int(k), int(r)) in seen for k, r in zip(home, reader, strict=True)])
    named_otherwise = _distinct(home, other, lonely & ~is_also & (clusters.votes[home] == 2))
    named_twice = _distinct(home, other, lonely & is_also & (clusters.votes[home] >= 2))
    both = _distinct(home, other, (clusters.votes[home] >= 2) & (clusters.votes[other] >= 2))
    votes = crowd_statistics.votes_by_finding(clusters)
    confused = _table_of(clusters, named_otherwise)
    confusion = confused / (3 * votes[:, 2] + confused.sum(axis=1) + 1)[:, None]
    second = _table_of(clusters, named_twice) / (votes @ [0, 2, 3] + 1)[:, None]
    company = _table_of(clusters, both)
    sure = votes[:, 1:].sum(axis=1)
    # Only the more frequent of two brings the other along.
    company = np.where(sure[:, None] > sure[None, :], company, 0) / sure[:, None]
    return _without_the_rare(confusion), _without_the_rare(second), _without_the_rare(company)


def same_rectangle(table: ReadingTable) -> float:
    """Return how often a reader marks two findings at one place by one rectangle.

    Parameters
    ----------
    table : ReadingTable
        Readings of three readers each.

    Returns
    -------
    float
        In [0, 1].
    """
    firsts, seconds = pairs_within(table.mark_images)
    left, right = table.mark_boxes[firsts], table.mark_boxes[seconds]
    is_near = (
        (table.mark_readers[firsts] == table.mark_readers[seconds])
        & (table.mark_findings[firsts] != table.mark_findings[seconds])
        & (overlaps(left, right) > 0.4)
    )
    return float((left == right).all(axis=1)[is_near].mean())


def _without_the_rare(shares: Numbers) -> Numbers:
    return np.where(shares < 0.002, 0.0, shares)


def _distinct(home: Integers, other: Integers, chosen: NDArray[np.bool_]) -> Integers:
    found: Integers = np.unique(np.stack([home[chosen], other[chosen]]), axis=1)
    return found


def _table_of(clusters: Clusters, pairs: Integers) -> Numbers:
    counts = np.zeros((FINDINGS, FINDINGS))
    np.add.at(counts, (clusters.findings[pairs[0]], clusters.findings[pairs[1]]), 1)
    return counts
