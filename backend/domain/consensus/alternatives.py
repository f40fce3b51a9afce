"""What else a further reader might call a lesion that nobody has called so yet."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Boxes
from backend.domain.consensus import fusion
from backend.domain.consensus.grouping import Groups
from backend.domain.consensus.logistic import binary_slope, fit_by_finding, logit, sigmoid
from backend.domain.consensus.surroundings import marks_of_images
from backend.domain.consensus.votes import Votes
from backend.domain.findings import Finding
from backend.domain.overlaps import aligned_iou, pairs_within
from backend.domain.reading_table import Numbers, ReadingTable

Array = NDArray[np.float64]

LEAST_SCORE = 0.003
"""Alternatives that are less probable than this are left out."""

NAMED_IOU = 0.55
"""A place where somebody's mark overlaps more than this has been called that finding."""

MARKED_IOU = 0.4
"""A reader whose mark overlaps more than this marks the place."""

SAME_ALTERNATIVE_IOU = 0.5
"""Of alternatives of one finding that overlap more than this the most probable is kept."""

_TRANSFER_PRIOR, _USUAL_TRANSFER = 10.0, 0.05
_LEAST_LOGIT_PROBABILITY = 0.005
_RIDGE = 60.0


@dataclass(frozen=True, slots=True)
class Transfer:
    """How often readers call by another finding what others have called by one.

    Attributes
    ----------
    shares : ndarray of shape (14, 14)
        Of places called by the row's finding alone, those that a further reader calls by the
        column's.
    coefficients : ndarray of shape (14, 4)
        By finding that is named: for how sure the place is, its square, several votes, and 1.
    usual : float
        Mean log-odds of a further mark, from which "how sure" is counted.
    """

    shares: Array
    coefficients: Array
    usual: float


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Other findings that clusters may be; by cluster, then falling score.

    Attributes
    ----------
    clusters : ndarray of shape (a,)
        Which cluster.
    findings : ndarray of shape (a,)
        What it may be.
    scores : ndarray of shape (a,)
        Probability in (0, 1) that a further reader would mark that finding there.
    """

    clusters: Numbers
    findings: Numbers
    scores: Array


def no_transfer() -> Transfer:
    """Return what is known before anybody could be held against a peer.

    Returns
    -------
    Transfer
        One that gives no alternatives.
    """
    zeros = np.zeros((len(Finding), len(Finding)))
    return Transfer(zeros, np.zeros((len(Finding), 4)), 0.0)


def fit_transfer(table: ReadingTable, groups: Groups, votes: Votes, next_mark: Array) -> Transfer:
    """Learn from what each reader called the places that the others had marked.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    groups : Groups
        The table's clusters.
    votes : Votes
        The votes on them.
    next_mark : ndarray of shape (v,)
        For every vote, how probable the others make it.

    Returns
    -------
    Transfer
        Shares drawn towards a twentieth of how common each finding is.
    """
    others = votes.marks[votes.clusters] - votes.is_mark
    rows = np.flatnonzero(others > 0)
    boxes = _without_own(table, groups, votes)[rows]
    places = _Places(votes.clusters[rows], votes.readers[rows], boxes)
    named, marked = _look(table, groups, places)
    findings = votes.findings[places.clusters]
    is_open = _is_open(named, findings)

    common = np.bincount(table.mark_findings, minlength=len(Finding)) / max(
        len(table.mark_findings), 1
    )
    tried, taken = np.zeros((2, len(Finding), len(Finding)))
    np.add.at(tried, findings, is_open.astype(np.float64))
    np.add.at(taken, findings, (is_open & marked).astype(np.float64))
    shares = (taken + _TRANSFER_PRIOR * _USUAL_TRANSFER * common) / (tried + _TRANSFER_PRIOR)

    log_odds = logit(next_mark[rows], least=_LEAST_LOGIT_PROBABILITY)
    usual = float(log_odds.mean()) if len(rows) else 0.0
    sure = _sureness(log_odds - usual, others[rows])
    row, finding = np.nonzero(is_open)
    slope = binary_slope(
        marked[row, finding].astype(np.float64), logit(shares[findings[row], finding])
    )
    return Transfer(shares, fit_by_finding(sure[row], finding, slope, ridge=_RIDGE), usual)


def find_alternatives(
    table: ReadingTable,
    groups: Groups,
    votes: Votes,
    transfer: Transfer,
    *,
    boxes: Boxes,
    scores: Array,
) -> Alternatives:
    """Return what else clusters may be.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    groups : Groups
        The table's clusters.
    votes : Votes
        The votes on them.
    transfer : Transfer
        What was learned.
    boxes : ndarray of shape (k, 4), [px]
        The box of every cluster.
    scores : ndarray of shape (k,)
        The score of every cluster.

    Returns
    -------
    Alternatives
        Findings that nobody has named at the place.
    """
    number = len(groups.first_marks)
    places = _Places(np.arange(number), np.full(number, -1), boxes)
    named, _ = _look(table, groups, places)
    log_odds = logit(scores, least=_LEAST_LOGIT_PROBABILITY) - transfer.usual
    sure = _sureness(log_odds, votes.marks)
    sureness = np.einsum("kd,fd->kf", sure, transfer.coefficients)  # not BLAS: bit for bit
    chances = sigmoid(logit(transfer.shares)[votes.findings] + sureness)
    is_kept = _is_open(named, votes.findings) & (chances > LEAST_SCORE)
    clusters, findings = np.nonzero(is_kept)
    found = Alternatives(clusters, findings, chances[clusters, findings])
    return _without_repeats(table.mark_images[groups.first_marks], boxes, found)


@dataclass(frozen=True, slots=True)
class _Places:
    """Places to look at: the cluster, the reader left out (-1: nobody), and the box."""

    clusters: Numbers
    left_out: Numbers
    boxes: Boxes


def _without_own(table: ReadingTable, groups: Groups, votes: Votes) -> Boxes:
    """Return for every vote the mean box of the cluster's other marks."""
    number, everybody = len(groups.first_marks), len(table.reader_ids)
    means = fusion.plain_means(table.mark_boxes, groups.cluster_of_mark, number)
    keys = groups.cluster_of_mark * everybody + table.mark_readers
    order = np.argsort(keys)
    wanted = votes.clusters * everybody + votes.readers
    own = order[np.minimum(np.searchsorted(keys[order], wanted), max(len(order) - 1, 0))]
    size = votes.marks[votes.clusters][:, None]
    without = (means[votes.clusters] * size - table.mark_boxes[own]) / np.maximum(size - 1, 1)
    return np.where(votes.is_mark[:, None], without, means[votes.clusters])


def _look(table: ReadingTable, groups: Groups, places: _Places) -> tuple[Array, NDArray[np.bool_]]:
    """Return how well others' marks of each finding cover a place, and what the one marks."""
    images = table.mark_images[groups.first_marks][places.clusters]
    place, mark = marks_of_images(table, images)
    overlap = aligned_iou(places.boxes[place], table.mark_boxes[mark])
    is_own = table.mark_readers[mark] == places.left_out[place]
    cell = place * len(Finding) + table.mark_findings[mark]
    named = np.zeros(len(images) * len(Finding))
    np.maximum.at(named, cell[~is_own], overlap[~is_own])
    marked = np.zeros(len(named), dtype=np.bool_)
    marked[cell[is_own & (overlap > MARKED_IOU)]] = True
    shape = (len(images), len(Finding))
    return named.reshape(shape), marked.reshape(shape)


def _is_open(named: Array, findings: Numbers) -> NDArray[np.bool_]:
    """Return which findings nobody has named at a place."""
    is_open = named <= NAMED_IOU
    is_open[np.arange(len(findings)), findings] = False
    return is_open


def _sureness(log_odds: Array, marks: Array) -> Array:
    return np.column_stack([log_odds, log_odds**2 / 4.0, marks > 1, np.ones(len(log_odds))])


def _without_repeats(images: Numbers, boxes: Boxes, found: Alternatives) -> Alternatives:
    """Keep the most probable of alternatives that name one place the same."""
    # lexsort takes the last key first.
    order = np.lexsort((found.clusters, -found.scores, found.findings, images[found.clusters]))
    clusters, findings = found.clusters[order], found.findings[order]
    groups = images[clusters] * len(Finding) + findings
    firsts, seconds = pairs_within(groups)
    is_same = aligned_iou(boxes[clusters[firsts]], boxes[clusters[seconds]]) > SAME_ALTERNATIVE_IOU
    is_kept = np.ones(len(order), dtype=np.bool_)
    for first, second in zip(firsts[is_same].tolist(), seconds[is_same].tolist(), strict=True):
        if is_kept[first]:
            is_kept[second] = False
    kept = order[is_kept]
    kept = kept[np.lexsort((found.findings[kept], -found.scores[kept], found.clusters[kept]))]
    return Alternatives(found.clusters[kept], found.findings[kept], found.scores[kept])
