"""Probabilities that are held against what each reader's peers did."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from backend.domain.consensus import fusion, reader_skill
from backend.domain.consensus.grouping import Groups
from backend.domain.consensus.logistic import (
    binary_slope,
    fit_by_finding,
    logit,
    mixture_slope,
    sigmoid,
)
from backend.domain.consensus.reader_skill import COINCIDENCE, Skill
from backend.domain.consensus.surroundings import FEATURES, Surroundings, Usual
from backend.domain.consensus.votes import Votes
from backend.domain.findings import Finding
from backend.domain.overlaps import aligned_iou
from backend.domain.reading_table import ReadingTable

Array = NDArray[np.float64]

SAME_PLACE_IOU = 0.4
"""A mark that overlaps a consensus box by more than this marks the same place."""

_LEAST, _LEAST_CAUSE, _LEAST_TRUE = 0.005, 0.002, 0.001
_PLACE_PRIOR, _USUAL_PLACE = 10.0, 0.9
_ALL_SUBSETS = 8
_CASE_MIX, _SEVERAL = -2, -1
_NEXT_MARK_RIDGE, _BEING_REAL_RIDGE = 120.0, 15.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was learned from readers who were held against their peers.

    Attributes
    ----------
    usual : Usual
        Where and how large clusters usually are.
    next_mark : ndarray of shape (14, FEATURES + 2)
        Coefficients for being marked by a further reader; the last two for the lowest case mix
        of the image's readers, at least 0, and for several votes.
    being_real : ndarray of shape (14, FEATURES + 2)
        Coefficients for being real, likewise.
    same_place : ndarray of shape (14,)
        Share of marks of a lesion that overlap its consensus box by more than 0.4.
    """

    usual: Usual
    next_mark: Array
    being_real: Array
    same_place: Array


@dataclass(frozen=True, slots=True)
class Probabilities:
    """What is known about each cluster.

    Attributes
    ----------
    score : ndarray of shape (k,)
        Probability in (0, 1) that a further reader would mark this finding here.
    p_true : ndarray of shape (k,)
        Probability in (0, 1) that it is real.
    """

    score: Array
    p_true: Array


def no_calibration() -> Calibration:
    """Return what is known before anybody could be held against a peer.

    Returns
    -------
    Calibration
        One that changes nothing but the allowance for the place.
    """
    zeros = np.zeros((len(Finding), FEATURES + 2))
    usual = Usual(np.zeros((len(Finding), 5)), np.ones((len(Finding), 5)))
    return Calibration(usual, zeros, zeros, np.full(len(Finding), _USUAL_PLACE))


def fit_calibration(
    table: ReadingTable, groups: Groups, votes: Votes, skill: Skill, by_others: Surroundings
) -> Calibration:
    """Learn from whether each reader marked what the others had marked.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    groups : Groups
        The table's clusters.
    votes : Votes
        The votes on them.
    skill : Skill
        Of the table's readers.
    by_others : Surroundings
        Each cluster without each reader.

    Returns
    -------
    Calibration
        Coefficients drawn towards zero.

    Notes
    -----
    Every vote on a cluster that somebody else marked is an observation. What the other votes
    say (`reader_skill.weigh_without`) enters as an offset with the coefficient 1, so a panel
    of two can be calibrated for three. Two regressions share it: one for the mark itself, and
    one for the lesion behind it, which a reader of that skill sees or overlooks.

    What is marked on an image of which one reader is usually given normal ones is likelier to be
    false; how much, the readers' agreement tells. The lowest case mix counts, so a further
    reader who marks nothing never speaks for a mark.
    """
    evidence = reader_skill.weigh_without(votes, skill)
    others = votes.marks[votes.clusters] - votes.is_mark
    rows = np.flatnonzero(others > 0)
    findings = votes.findings[votes.clusters][rows]
    usual = Surroundings(
        by_others.shapes[rows], by_others.other_marks[rows], by_others.overlaps[rows]
    ).usual(findings)
    every = by_others.features(votes.findings[votes.clusters], usual)
    case_mix = votes.lowest_of_others(skill.case_mix[votes.readers])
    several = (others > 1).astype(np.float64)
    features = np.hstack([every, case_mix[:, None], several[:, None]])[rows]
    observed = votes.is_mark[rows].astype(np.float64)
    expected = evidence.next_mark[rows]
    mark = binary_slope(observed, logit(expected, least=_LEAST))
    next_mark = fit_by_finding(features, findings, mark, ridge=_NEXT_MARK_RIDGE)
    cause = logit(sigmoid(evidence.log_odds[rows]), least=_LEAST_CAUSE)
    lesion = mixture_slope(observed, cause, evidence.visibility[rows], COINCIDENCE)
    being_real = fit_by_finding(features, findings, lesion, ridge=_BEING_REAL_RIDGE)
    for coefficients in (next_mark, being_real):
        # Silence must not make a mark more likely because of who is silent.
        coefficients[:, _CASE_MIX] = np.maximum(coefficients[:, _CASE_MIX], 0.0)
    return Calibration(usual, next_mark, being_real, _same_place(table, groups))


def calibrate(
    votes: Votes, skill: Skill, calibration: Calibration, by_all: Surroundings
) -> Probabilities:
    """Return the probabilities of every cluster.

    Parameters
    ----------
    votes : Votes
        The votes on the clusters.
    skill : Skill
        Of the readers that the votes refer to.
    calibration : Calibration
        What was learned.
    by_all : Surroundings
        Each cluster as all readers see it.

    Returns
    -------
    Probabilities
        Neither falls when a reader who was silent marks the very place.

    Notes
    -----
    Where votes would count against a lesion (of readers who mark false places more readily
    than lesions, say), they count as silence: the highest probability that any subset of the
    votes gives is taken. With more than eight votes only small and nearly full subsets are, and
    those of the best readers.
    """
    case_mix = votes.lowest(skill.case_mix[votes.readers])
    features = np.column_stack([by_all.features(votes.findings, calibration.usual), case_mix])
    base = (features * calibration.next_mark[votes.findings, :_SEVERAL]).sum(axis=1)
    base_real = (features * calibration.being_real[votes.findings, :_SEVERAL]).sum(axis=1)

    def marked(some: Votes) -> Array:
        evidence = reader_skill.weigh(some, skill)
        several = calibration.next_mark[some.findings, _SEVERAL] * (some.marks > 1)
        return np.asarray(logit(evidence.next_mark, least=_LEAST) + several)

    def real(some: Votes) -> Array:
        evidence = reader_skill.weigh(some, skill)
        several = calibration.being_real[some.findings, _SEVERAL] * (some.marks > 1)
        return np.asarray(logit(sigmoid(evidence.log_odds), least=_LEAST_CAUSE) + several)

    cells = votes.readers, votes.findings[votes.clusters]
    worth = skill.logits[cells] - np.log1p(skill.false_marks[cells])
    return Probabilities(
        sigmoid(base + _highest(votes, marked, worth)) * calibration.same_place[votes.findings],
        np.clip(sigmoid(base_real + _highest(votes, real, worth)), _LEAST_TRUE, 1.0 - _LEAST_TRUE),
    )


def _highest(votes: Votes, value: Callable[[Votes], Array], worth: Array) -> Array:
    """Return the highest value that some of the votes give, with the others as silence."""
    best, marks = value(votes), votes.marks.astype(np.int64)
    for number in np.unique(marks[marks > 1]).tolist():
        clusters = np.flatnonzero(marks == number)
        some = _subsets(number)
        values = value(votes.with_marks(clusters, some)).reshape(len(clusters), len(some))
        best[clusters] = np.maximum(best[clusters], values.max(axis=1))
        if number > _ALL_SUBSETS:
            values = value(votes.with_best_marks(clusters, worth)).reshape(len(clusters), -1)
            best[clusters] = np.maximum(best[clusters], values.max(axis=1))
    return best


def _subsets(number: int) -> NDArray[np.bool_]:
    """Return which of so many votes may count: any up to eight, else few or nearly all."""
    sizes = [
        size
        for size in range(1, number)
        if number <= _ALL_SUBSETS or min(size, number - size) <= 2
    ]
    chosen = [votes for size in sizes for votes in combinations(range(number), size)]
    masks = np.zeros((len(chosen), number), dtype=np.bool_)
    for row, votes in enumerate(chosen):
        masks[row, list(votes)] = True
    return masks


def _same_place(table: ReadingTable, groups: Groups) -> Array:
    """Return how often a mark overlaps the mean of the others of its cluster enough."""
    number = len(groups.first_marks)
    size = np.bincount(groups.cluster_of_mark, minlength=number)
    several = np.flatnonzero(size[groups.cluster_of_mark] > 1)
    clusters = groups.cluster_of_mark[several]
    own = table.mark_boxes[several]
    left = (size[clusters] - 1)[:, None]
    means = fusion.plain_means(table.mark_boxes, groups.cluster_of_mark, number)
    others = (means[clusters] * size[clusters][:, None] - own) / left
    is_near = (aligned_iou(own, others) > SAME_PLACE_IOU).astype(np.float64)
    usual = (is_near.sum() + _PLACE_PRIOR * _USUAL_PLACE) / (len(several) + _PLACE_PRIOR)
    findings = table.mark_findings[several]
    near = np.bincount(findings, is_near, len(Finding))
    counts = np.bincount(findings, minlength=len(Finding))
    return np.asarray((near + _PLACE_PRIOR * usual) / (counts + _PLACE_PRIOR))
