"""Figures of a detector under resampling: how they come out when images count several times.

Each is a `bootstrap.Statistic`. The marks are judged once; what a resample needs of them is how
many false ones of each image lie between two true ones, so that thousands of resamples are a few
products of matrices.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.metrics.judged_marks import SAME_PLACE_IOU, JudgedMarks
from backend.domain.metrics.quotients import Numbers, quotient

COCO_THRESHOLDS = tuple(step / 100 for step in range(50, 100, 5))
"""IoU thresholds over which mAP@[.5:.95] is the mean."""

_RANKS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Marks by falling score as what a resample needs of them.

    Attributes
    ----------
    images : int
        How many there are.
    hit_images : ndarray of shape (h,)
        The image of every true mark, by falling score.
    false_images, false_ranks : ndarray of shape (m,)
        The image of every false mark, and how many true marks come before it; without those
        after the last true mark.
    """

    images: int
    hit_images: NDArray[np.int64]
    false_images: NDArray[np.int64]
    false_ranks: NDArray[np.int64]

    @classmethod
    def of(
        cls, images: int, mark_images: NDArray[np.int64], is_hit: NDArray[np.bool_]
    ) -> "_Ranking":
        """Make it of marks by falling score."""
        before: NDArray[np.int64] = np.cumsum(is_hit) - is_hit
        is_counted = ~is_hit & (before < is_hit.sum())
        return cls(images, mark_images[is_hit], mark_images[is_counted], before[is_counted])

    def at_hits(self, weights: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
        """Yield weights of true marks, and of all false marks before each, some ranks at a time.

        Parameters
        ----------
        weights : ndarray of shape (r, images)
            How often each image counts.

        Yields
        ------
        tuple of ndarray of shape (r, k)
            For the next k true marks.
        """
        single = weights.astype(np.float32)  # several times faster; counts stay exact
        false: Numbers = np.zeros((len(weights), 1))
        for start in range(0, len(self.hit_images), _RANKS_AT_ONCE):
            own = self.hit_images[start : start + _RANKS_AT_ONCE]
            rows = slice(*np.searchsorted(self.false_ranks, (start, start + len(own))))
            cells = self.false_images[rows] * len(own) + self.false_ranks[rows] - start
            between = np.bincount(cells, minlength=self.images * len(own))
            between = between.reshape(self.images, len(own)).astype(np.float32)
            summed = false + np.cumsum(single @ between, axis=1, dtype=np.float64)
            yield weights[:, own], summed
            false = summed[:, -1:]


class PrecisionAreas:
    """Average precision of every finding, under resampling.

    Parameters
    ----------
    judged : JudgedMarks
        Marks and truth.
    iou_threshold : float
        A mark must overlap its lesion by more than this.
    """

    def __init__(self, judged: JudgedMarks, iou_threshold: float = SAME_PLACE_IOU) -> None:
        is_hit = judged.taken(iou_threshold) >= 0
        self._image_weights = judged.weights
        self._lesions = np.zeros((judged.images, len(Finding)))
        np.add.at(self._lesions, (judged.lesions.images, judged.lesions.findings), 1)
        self._rankings = {}
        for finding in Finding:
            rows = judged.marks.findings == finding
            self._rankings[finding] = _Ranking.of(
                judged.images, judged.marks.images[rows], is_hit[rows]
            )

    def __call__(self, counts: Numbers) -> Numbers:
        """Return the average precisions.

        Parameters
        ----------
        counts : ndarray of shape (r, images)
            How often each image counts in each resample.

        Returns
        -------
        ndarray of shape (r, 14), [unitless]
            In [0, 1]; NaN for a finding that a resample does not show.
        """
        weights = counts * self._image_weights
        areas = np.stack([_area(ranking, weights) for ranking in self._rankings.values()], axis=1)
        return quotient(areas, weights @ self._lesions)


class MeanPrecision:
    """Mean average precision over findings and IoU thresholds, under resampling.

    Parameters
    ----------
    judged : JudgedMarks
        Marks and truth.
    iou_thresholds : sequence of float
        What a mark must overlap its lesion by more than; the mean is over these too.
    """

    def __init__(
        self, judged: JudgedMarks, iou_thresholds: Sequence[float] = (SAME_PLACE_IOU,)
    ) -> None:
        self._areas = [PrecisionAreas(judged, threshold) for threshold in iou_thresholds]

    def __call__(self, counts: Numbers) -> Numbers:
        """Return the means.

        Parameters
        ----------
        counts : ndarray of shape (r, images)
            How often each image counts in each resample.

        Returns
        -------
        ndarray of shape (r,), [unitless]
            In [0, 1]; NaN where no finding occurs.
        """
        means = [mean_over_findings(areas(counts)) for areas in self._areas]
        return np.asarray(np.mean(means, axis=0))


def mean_over_findings(areas: Numbers) -> Numbers:
    """Return the mean of the findings that occur.

    Parameters
    ----------
    areas : ndarray of shape (r, 14), [unitless]
        Average precisions; NaN for a finding that does not occur.

    Returns
    -------
    ndarray of shape (r,), [unitless]
        NaN where none occurs.
    """
    return quotient(np.nansum(areas, axis=1), np.isfinite(areas).sum(axis=1))


class Sensitivities:
    """Sensitivity at numbers of false marks per image, of all findings together, resampled.

    Parameters
    ----------
    judged : JudgedMarks
        Marks and truth; scores are compared across findings.
    false_marks_per_image : sequence of float
        At which.
    """

    def __init__(self, judged: JudgedMarks, false_marks_per_image: Sequence[float]) -> None:
        is_hit = judged.taken() >= 0
        # Of equal scores the false marks first: they come together.
        order = np.lexsort((is_hit, -judged.marks.scores))
        self._ranking = _Ranking.of(judged.images, judged.marks.images[order], is_hit[order])
        self._image_weights = judged.weights
        self._lesions = np.bincount(judged.lesions.images, minlength=judged.images)
        self._rates = tuple(false_marks_per_image)

    def __call__(self, counts: Numbers) -> Numbers:
        """Return the sensitivities.

        Parameters
        ----------
        counts : ndarray of shape (r, images)
            How often each image counts in each resample.

        Returns
        -------
        ndarray of shape (r, rates), [unitless]
            In [0, 1]; NaN where there is no lesion.
        """
        weights = counts * self._image_weights
        allowed = weights.sum(axis=1)[:, None] * np.array(self._rates)
        allowed *= 1 + 1e-6  # sums in another order are not another rate
        found = np.zeros_like(allowed)
        for hit, false in self._ranking.at_hits(weights):
            if (false[:, 0] > allowed.max(axis=1)).all():
                break
            for column in range(len(self._rates)):
                found[:, column] += (hit * (false <= allowed[:, column, None])).sum(axis=1)
        return quotient(found, (weights @ self._lesions)[:, None])


class ImageAuc:
    """How well the highest score tells images with a lesion from those without, resampled.

    Parameters
    ----------
    judged : JudgedMarks
        Marks and truth.
    finding : Finding or None
        Of which finding; any when None.
    """

    def __init__(self, judged: JudgedMarks, finding: Finding | None = None) -> None:
        marks, lesions = judged.marks, judged.lesions
        own = (
            marks.findings == finding if finding is not None else np.ones(len(marks.scores), bool)
        )
        scores = np.zeros(judged.images)
        np.maximum.at(scores, marks.images[own], marks.scores[own])
        shown = (
            lesions.images[lesions.findings == finding] if finding is not None else lesions.images
        )
        is_positive = np.zeros(judged.images, dtype=np.bool_)
        is_positive[shown] = True
        self._order = np.argsort(scores, kind="stable")
        ordered = scores[self._order]
        self._groups = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        self._positive = (judged.weights * is_positive)[self._order]
        self._negative = (judged.weights * ~is_positive)[self._order]

    def __call__(self, counts: Numbers) -> Numbers:
        """Return the areas under the ROC curve.

        Parameters
        ----------
        counts : ndarray of shape (r, images)
            How often each image counts in each resample.

        Returns
        -------
        ndarray of shape (r,), [unitless]
            In [0, 1], 0.5 chance; NaN without both kinds of images.
        """
        ordered = counts[:, self._order]
        positive = np.add.reduceat(ordered * self._positive, self._groups, axis=1)
        negative = np.add.reduceat(ordered * self._negative, self._groups, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        return quotient((positive * below).sum(axis=1), pairs)


def _area(ranking: _Ranking, weights: Numbers) -> Numbers:
    """Return areas under precision over recall, times the number of lesions."""
    hits, precisions = [], []
    true: Numbers = np.zeros((len(weights), 1))
    for hit, false in ranking.at_hits(weights):
        summed = true + np.cumsum(hit, axis=1)
        hits.append(hit)
        precisions.append(np.nan_to_num(quotient(summed, summed + false)))
        true = summed[:, -1:]
    if not hits:
        return np.zeros(len(weights))
    precision = np.concatenate(precisions, axis=1)
    highest_from_here = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return np.asarray((np.concatenate(hits, axis=1) * highest_from_here).sum(axis=1))
