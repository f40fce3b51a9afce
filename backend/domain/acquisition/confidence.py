"""How unsure a model is of an image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox

BOXES_PER_FINDING = 3
"""So many boxes of one finding count; more would reward a detector that scatters boxes."""


class InvalidScoreError(ValueError):
    """A score is not a probability."""


class InvalidWeightsError(ValueError):
    """The weights are not one finite, non-negative number per finding."""


def binary_entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy of yes-or-no questions.

    Parameters
    ----------
    p : ndarray, [unitless]
        Probabilities of "yes", in [0, 1], of any shape.

    Returns
    -------
    ndarray of the same shape, [bit]
        In [0, 1]: 0 sure (p is 0 or 1) … 1 unsure (p is 0.5).

    Raises
    ------
    InvalidScoreError
        If a number is not in [0, 1], or not a number.

    Notes
    -----
    ``h(p) = -p log2(p) - (1 - p) log2(1 - p)``, with ``0 log2(0) = 0``.

    Examples
    --------
    >>> binary_entropy(np.array([0.0, 0.5, 1.0]))
    array([0., 1., 0.])
    """
    wrong = p[~((p >= 0.0) & (p <= 1.0))]
    if wrong.size:
        raise InvalidScoreError(
            f"expected scores in [0, 1], got {wrong.flat[0]}; check the detector's output"
        )
    both = np.stack([p, 1.0 - p])
    logarithms = np.log2(both, out=np.zeros_like(both), where=both > 0.0)
    # `+ 0.0` turns the negative zero of a sure answer into zero.
    return np.asarray(-(both * logarithms).sum(axis=0) + 0.0, dtype=np.float64)


def image_uncertainty(
    boxes: Sequence[PredictedBox], finding_weights: NDArray[np.float64]
) -> float:
    """Return how unsure a model is of an image, rare findings counting more.

    Parameters
    ----------
    boxes : sequence of PredictedBox
        The model's boxes on the image, after suppression of duplicates, in any order; none
        is normal.
    finding_weights : ndarray of shape (14,), [unitless]
        Weight of every finding, not negative, by class id.

    Returns
    -------
    float
        [bit], 0 sure … no upper bound (42 at weights of 1); 0 for an image without boxes.

    Raises
    ------
    InvalidScoreError
        If a score is not in [0, 1], or not a number.
    InvalidWeightsError
        If the weights are not 14 finite numbers from 0 on.

    Notes
    -----
    ``U = sum over findings c of w_c * sum of h(p_i)`` over the `BOXES_PER_FINDING` boxes of
    the highest score, h being `binary_entropy`.
    """
    if finding_weights.shape != (len(Finding),) or not (
        np.isfinite(finding_weights).all() and (finding_weights >= 0.0).all()
    ):
        raise InvalidWeightsError(
            f"expected {len(Finding)} finite weights from 0 on, got {finding_weights.tolist()}"
        )
    scores: dict[Finding, list[float]] = {}
    for box in boxes:
        scores.setdefault(box.finding, []).append(box.score)
    uncertainty = 0.0
    for finding, own in sorted(scores.items()):
        entropies = binary_entropy(np.asarray(own, dtype=np.float64))
        top = np.argsort(own)[::-1][:BOXES_PER_FINDING]
        uncertainty += float(finding_weights[finding] * entropies[top].sum())
    return uncertainty
