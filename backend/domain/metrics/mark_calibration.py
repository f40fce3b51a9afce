"""Whether a detector's scores mean what they say, under resampling: D-ECE and LaECE."""

import numpy as np

from backend.domain.findings import Finding
from backend.domain.metrics.judged_marks import SAME_PLACE_IOU, JudgedMarks
from backend.domain.metrics.quotients import Numbers, quotient

COUNTED_FROM_SCORE = 0.05
"""Marks below this score are left out: thousands of them, all rightly near 0, would make any
detector look calibrated."""

_BINS = 10


class CalibrationErrors:
    """Detection calibration error and its location-aware form; a `bootstrap.Statistic`.

    Parameters
    ----------
    judged : JudgedMarks
        Marks and truth; scores are probabilities in [0, 1].

    Notes
    -----
    Marks of at least `COUNTED_FROM_SCORE` in ten bins of equal width. D-ECE is
    ``sum_b n_b / n |mean score - share of true marks|``. LaECE is the mean over findings of
    ``sum_b n_b / n |mean score - share of true marks * their mean IoU|``: a score must also tell
    how well the box sits.

    References
    ----------
    F. Küppers et al., "Multivariate confidence calibration for object detection", CVPR Workshops
    2020. K. Oksuz, T. Joy, P. K. Dokania, "Towards building self-aware object detectors via
    reliable uncertainty quantification and calibration", CVPR 2023.
    """

    def __init__(self, judged: JudgedMarks) -> None:
        scores = judged.marks.scores
        counted = scores >= COUNTED_FROM_SCORE
        bins = np.minimum((scores * _BINS).astype(np.int64), _BINS - 1)
        cells = (judged.marks.findings * _BINS + bins)[counted]
        cells += judged.marks.images[counted] * len(Finding) * _BINS
        is_hit = judged.taken(SAME_PLACE_IOU)[counted] >= 0
        self._image_weights = judged.weights
        self._sums = np.concatenate(
            [
                np.bincount(cells, each, judged.images * len(Finding) * _BINS).reshape(
                    judged.images, len(Finding) * _BINS
                )
                for each in (
                    np.ones(len(cells)),
                    scores[counted],
                    is_hit.astype(np.float64),
                    is_hit * judged.nearest.overlaps[counted],
                )
            ],
            axis=1,
        )

    def __call__(self, counts: Numbers) -> Numbers:
        """Return the calibration errors.

        Parameters
        ----------
        counts : ndarray of shape (r, images)
            How often each image counts in each resample.

        Returns
        -------
        ndarray of shape (r, 2), [unitless]
            D-ECE and LaECE, each 0 calibrated … 1 always sure and wrong; NaN without marks.
        """
        summed = (counts * self._image_weights) @ self._sums
        number, score, hits, overlap = summed.reshape(
            len(counts), 4, len(Finding), _BINS
        ).swapaxes(0, 1)
        gaps = np.abs((score - hits).sum(axis=1)).sum(axis=1)
        by_finding = quotient(np.abs(score - overlap).sum(axis=2), number.sum(axis=2))
        is_marked = np.isfinite(by_finding)
        return np.stack(
            [
                quotient(gaps, number.sum(axis=(1, 2))),
                quotient(np.nansum(by_finding, axis=1), is_marked.sum(axis=1)),
            ],
            axis=1,
        )
