"""What readers see of a detector's marks, and how much of it is false."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.metrics.judged_marks import JudgedMarks
from backend.domain.metrics.quotients import Numbers, quotient
from backend.domain.predictions import SHOWN_FROM_SCORE


def is_shown(judged: JudgedMarks, thresholds: Mapping[Finding, float]) -> NDArray[np.bool_]:
    """Tell which marks readers see.

    Parameters
    ----------
    judged : JudgedMarks
        Marks and truth.
    thresholds : mapping of Finding to float
        Score from which marks of a finding are shown; `SHOWN_FROM_SCORE` where there is none.

    Returns
    -------
    ndarray of shape (n,)
        For every mark.
    """
    least = np.array([thresholds.get(finding, SHOWN_FROM_SCORE) for finding in Finding])
    return np.asarray(judged.marks.scores >= least[judged.marks.findings])


def is_found(judged: JudgedMarks, thresholds: Mapping[Finding, float]) -> NDArray[np.bool_]:
    """Tell which lesions carry a mark that readers see.

    Parameters
    ----------
    judged : JudgedMarks
        Marks and truth.
    thresholds : mapping of Finding to float
        Score from which marks of a finding are shown.

    Returns
    -------
    ndarray of shape (lesions,)
        For every lesion.
    """
    taken = judged.taken()[is_shown(judged, thresholds)]
    found = np.zeros(len(judged.lesions.boxes), dtype=np.bool_)
    found[taken[taken >= 0]] = True
    return found


class MarksOnEmpties:
    """How many marks readers see on an image without a lesion; a `bootstrap.Statistic`.

    Parameters
    ----------
    judged : JudgedMarks
        Marks and truth.
    thresholds : mapping of Finding to float
        Score from which marks of a finding are shown.
    """

    def __init__(self, judged: JudgedMarks, thresholds: Mapping[Finding, float]) -> None:
        is_empty = np.ones(judged.images, dtype=np.bool_)
        is_empty[judged.lesions.images] = False
        shown = judged.marks.images[is_shown(judged, thresholds)]
        marks = np.bincount(shown, minlength=judged.images)
        self._marks = judged.weights * is_empty * marks
        self._empties = judged.weights * is_empty

    def __call__(self, counts: Numbers) -> Numbers:
        """Return the rates.

        Parameters
        ----------
        counts : ndarray of shape (r, images)
            How often each image counts in each resample.

        Returns
        -------
        ndarray of shape (r,), [marks per image]
            NaN where every image shows a lesion.
        """
        return quotient(counts @ self._marks, counts @ self._empties)
