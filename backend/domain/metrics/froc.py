"""Free-response ROC: which share of the lesions is marked at how many false marks per image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.metrics.judged_marks import JudgedMarks, judge_marks
from backend.domain.predictions import PredictedBox

USUAL_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False marks per image at which sensitivity is usually reported."""


@dataclass(frozen=True, slots=True)
class FrocCurve:
    """A free-response ROC curve, from the highest score down.

    Attributes
    ----------
    false_marks_per_image : ndarray of shape (k,), [marks per image]
        Not falling; the first is 0.
    sensitivity : ndarray of shape (k,), [unitless]
        Share of the lesions that are marked, in [0, 1], not falling; the first is 0.
    lesions, images : int
        How many there are.
    """

    false_marks_per_image: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    lesions: int
    images: int


def froc(
    truths: Mapping[str, Sequence[tuple[Finding, Box]]],
    predictions: Mapping[str, Sequence[PredictedBox]],
    *,
    weights: Mapping[str, float] | None = None,
) -> FrocCurve:
    """Return the FROC curve of all findings together.

    Parameters
    ----------
    truths : mapping of str to sequence of (Finding, Box)
        Image id to true boxes; an image without findings has none.
    predictions : mapping of str to sequence of PredictedBox
        Image id to predicted boxes, of the same images; their scores are compared across
        findings, so they should be calibrated.
    weights : mapping of str to float or None
        For how many images of everyday work each image stands; every one for one when None.

    Returns
    -------
    FrocCurve
        One point per score, and the origin.

    See Also
    --------
    average_precision : Where "true mark" is defined; here too the IoU must be above 0.4.

    Notes
    -----
    A second mark on a lesion counts as false. Marks of equal scores come together.

    References
    ----------
    D. P. Chakraborty, "Observer Performance Methods for Diagnostic Imaging", 2017, chapter 13.

    Examples
    --------
    >>> ild, box = Finding.ILD, Box(0, 0, 10, 10)
    >>> found = {"a": [PredictedBox(ild, box, 0.5)], "b": [PredictedBox(ild, box, 0.9)]}
    >>> curve = froc({"a": [(ild, box)], "b": []}, found)
    >>> curve.false_marks_per_image.tolist(), curve.sensitivity.tolist()
    ([0.0, 0.5, 0.5], [0.0, 0.0, 1.0])
    """
    return froc_of(judge_marks(truths, predictions, weights=weights))


def froc_of(judged: JudgedMarks) -> FrocCurve:
    """Return the FROC curve of marks that are judged; `froc` for columns.

    Parameters
    ----------
    judged : JudgedMarks
        Marks and truth.

    Returns
    -------
    FrocCurve
        One point per score, and the origin.
    """
    is_hit = judged.taken() >= 0
    weights = judged.weights[judged.marks.images]
    lesions = judged.weights[judged.lesions.images].sum()
    true = np.cumsum(weights * is_hit) / max(lesions, np.finfo(float).tiny)
    false = np.cumsum(weights * ~is_hit) / max(judged.weights.sum(), np.finfo(float).tiny)
    scores = judged.marks.scores
    is_last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]
    ends = np.flatnonzero(is_last)
    return FrocCurve(
        np.append(0.0, false[ends]),
        np.append(0.0, np.minimum(true[ends], 1.0)),
        len(judged.lesions.boxes),
        judged.images,
    )


def sensitivity_at(curve: FrocCurve, false_marks_per_image: float) -> float | None:
    """Return the sensitivity at a number of false marks per image.

    Parameters
    ----------
    curve : FrocCurve
        The curve.
    false_marks_per_image : float
        At most so many, at least 0.

    Returns
    -------
    float or None
        In [0, 1], of the lowest score that makes no more false marks; None without lesions.

    Examples
    --------
    >>> curve = FrocCurve(np.array([0.0, 0.5, 2.0]), np.array([0.0, 0.4, 0.9]), 10, 20)
    >>> sensitivity_at(curve, 1.0)
    0.4
    """
    if not curve.lesions:
        return None
    place = np.searchsorted(curve.false_marks_per_image, false_marks_per_image, side="right")
    return float(curve.sensitivity[max(int(place) - 1, 0)])
