"""How much more a rare or hard finding is worth."""

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding

PRIOR_IMAGES = 5.0
"""Added to every count, so that the first images of a finding do not swing its weight."""
LOWEST_WEIGHT, HIGHEST_WEIGHT = 0.5, 4.0

_HARDNESS, _HARDNESS_GROWTH = 0.06, 27.0


class InvalidCountsError(ValueError):
    """The counts are not one number of images per finding."""


def finding_weights(
    positive_images: NDArray[np.int64], average_precision: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the weight of every finding in the queue.

    Parameters
    ----------
    positive_images : ndarray of shape (14,), [images]
        How many read images show each finding, by class id.
    average_precision : ndarray of shape (14,), [unitless], or None
        How well the model finds each, in [0, 1]; NaN counts as 0, since nothing shows that it
        finds that at all. None when nothing was measured.

    Returns
    -------
    ndarray of shape (14,), [unitless]
        In [0.5, 4.8]; the rarer and the harder a finding is, the higher. All 1 before anything
        was read or measured.

    Raises
    ------
    InvalidCountsError
        If there are not 14 counts from 0 on, or not 14 average precisions in [0, 1].

    Notes
    -----
    ``w_c = clip(sqrt((mean(n) + 5) / (n_c + 5)), 0.5, 4) · (1 + 0.06 ln(27 (1 - q_c) + 1))``,
    q being the average precision; without one, the second factor is 1. It is at most 1.2.

    References
    ----------
    Yang, Huang and Crowley, "Plug and play active learning for object detection", CVPR 2024: the
    second factor.

    Examples
    --------
    >>> finding_weights(np.array([210] + [0] * 13))[:2].round(2)
    array([0.5, 2. ])
    """
    if positive_images.shape != (len(Finding),) or not (positive_images >= 0).all():
        raise InvalidCountsError(
            f"expected {len(Finding)} counts from 0 on, got {positive_images.tolist()}"
        )
    ratio = (positive_images.mean() + PRIOR_IMAGES) / (positive_images + PRIOR_IMAGES)
    rarity = np.clip(np.sqrt(ratio), LOWEST_WEIGHT, HIGHEST_WEIGHT)
    if average_precision is None:
        return np.asarray(rarity, dtype=np.float64)
    missing = 1.0 - np.nan_to_num(average_precision, nan=0.0)
    if missing.shape != rarity.shape or not ((missing >= 0.0) & (missing <= 1.0)).all():
        raise InvalidCountsError(
            f"expected {len(Finding)} average precisions in [0, 1], got {average_precision}"
        )
    hardness = 1.0 + _HARDNESS * np.log(_HARDNESS_GROWTH * missing + 1.0)
    return np.asarray(rarity * hardness, dtype=np.float64)
