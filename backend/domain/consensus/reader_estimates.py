"""What is known about each reader, in numbers that a data manager can read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.consensus import reader_skill
from backend.domain.consensus.logistic import logit, sigmoid
from backend.domain.consensus.panel import Panel
from backend.domain.consensus.reader_skill import DIFFICULTIES, Skill
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import Verdict
from backend.domain.findings import Finding

Array = NDArray[np.float64]

_NORMAL_95 = 1.959964
"""Half the width of the middle 95 % of a standard normal."""

_UNKNOWN, _UNKNOWN_OVER_ALL = 0.9, 0.55
"""What votes cannot tell, in log-odds, for one finding and over all: how many lesions nobody or
only one reader saw. Standard errors of the log-odds on simulated crowds with a known truth."""


@dataclass(frozen=True, slots=True)
class ReaderEstimates:
    """How well each reader reads; the last column of two-dimensional ones is over all findings.

    Attributes
    ----------
    reader_ids : tuple of str
        Whose estimates.
    readings : ndarray of shape (r,)
        Images read.
    sensitivity, low, high : ndarray of shape (r, 15)
        Share of lesions that the reader marks, and the ends of its 95 % interval.
    false_marks : ndarray of shape (r, 15)
        Expected marks per image read that are not real.
    reliability : ndarray of shape (r,)
        F1 of the reader's marks against what is probably real, in (0, 1); 0.5 for a reader of
        whom nothing is known.
    is_estimable : ndarray of shape (r,)
        Whether the reader has read any image on which anybody marked anything; the others have
        what is usual in the panel.
    """

    reader_ids: tuple[str, ...]
    readings: NDArray[np.int64]
    sensitivity: Array
    low: Array
    high: Array
    false_marks: Array
    reliability: Array
    is_estimable: NDArray[np.bool_]


def estimate_readers(survey: Survey, panel: Panel, verdict: Verdict) -> ReaderEstimates:
    """Return how well each reader of a survey reads.

    Parameters
    ----------
    survey : Survey
        All readings there are.
    panel : Panel
        What was learned from them.
    verdict : Verdict
        The common answers.

    Returns
    -------
    ReaderEstimates
        One row per reader of the table.

    Notes
    -----
    Intervals are those of the normal approximation to the posterior of the log-odds of marking
    a lesion of usual difficulty (Laplace), its information being the empirical one of
    `skill_learning.fit_skill`, its prior as wide as what is not known of the finding and of the
    reader makes it, and widened by what no votes can tell; over all findings by the delta
    method, weighted by how common they are.

    Reliability is ``(2 sum p h + 1) / (marks + sum p + 2)``, the sums over what was marked on
    the images that the reader has read, p the probability of being real, h whether the reader
    marked it.
    """
    skill = panel.of(survey.table.reader_ids).skill
    table, votes, number = survey.table, survey.votes, len(survey.table.reader_ids)
    real = verdict.p_true[votes.clusters]
    seen = np.bincount(votes.readers, real * votes.is_mark, number)
    marks = np.bincount(votes.readers, votes.is_mark, number)
    there = np.bincount(votes.readers, real, number)
    readings = np.bincount(table.reading_readers, minlength=number)

    cells = votes.readers * len(Finding) + votes.findings[votes.clusters]
    false = np.bincount(cells, (1.0 - real) * votes.is_mark, number * len(Finding))
    per_image = false.reshape(number, len(Finding)) / np.maximum(readings, 1)[:, None]
    sensitivity, low, high = _intervals(skill, _common(survey, verdict))
    return ReaderEstimates(
        table.reader_ids,
        readings,
        sensitivity,
        low,
        high,
        np.column_stack([per_image, per_image.sum(axis=1)]),
        (2.0 * seen + 1.0) / (marks + there + 2.0),
        survey.exposures > 0,
    )


def _common(survey: Survey, verdict: Verdict) -> Array:
    """Return the share of each finding among what is real."""
    counts = np.bincount(survey.votes.findings, verdict.p_true, len(Finding)) + 1.0
    return np.asarray(counts / counts.sum())


def _intervals(skill: Skill, common: Array) -> tuple[Array, Array, Array]:
    """Return sensitivities with the ends of their intervals."""
    alone, shared = reader_skill.uncertainty(skill)
    sensitivity = reader_skill.sensitivity(skill.logits)
    chances = sigmoid(skill.logits[:, :, None] + DIFFICULTIES)
    slope = (chances * (1.0 - chances)) @ reader_skill.DIFFICULTY_SHARES
    weighted = common * slope
    together = (weighted * np.sqrt(shared)).sum(axis=1) ** 2
    unknown = (weighted.sum(axis=1) * _UNKNOWN_OVER_ALL) ** 2
    over_all = np.sqrt((weighted**2 * alone).sum(axis=1) + together + unknown)
    spread = np.column_stack([slope * np.sqrt(alone + shared + _UNKNOWN**2), over_all])
    estimates = np.column_stack([sensitivity, sensitivity @ common])
    centre = logit(estimates)
    reach = _NORMAL_95 * spread / (estimates * (1.0 - estimates))
    return estimates, sigmoid(centre - reach), sigmoid(centre + reach)
