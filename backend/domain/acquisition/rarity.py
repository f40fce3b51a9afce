"""How much more a rare finding is worth."""

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding

PRIOR_IMAGES = 5.0
"""Added to every count, so that the first images of a finding do not swing its weight."""
LOWEST_WEIGHT, HIGHEST_WEIGHT = 0.5, 4.0


class InvalidCountsError(ValueError):
    """The counts are not one number of images per finding."""


def finding_weights(positive_images: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weight of every finding in the queue.

    Parameters
    ----------
    positive_images : ndarray of shape (14,), [images]
        How many read images show each finding, by class id.

    Returns
    -------
    ndarray of shape (14,), [unitless]
        In [0.5, 4]; the rarer a finding is, the higher. All 1 before anything was read.

    Raises
    ------
    InvalidCountsError
        If there are not 14 counts from 0 on.

    Notes
    -----
    ``w_c = clip(sqrt((mean(n) + 5) / (n_c + 5)), 0.5, 4)``.

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
    return np.asarray(np.clip(np.sqrt(ratio), LOWEST_WEIGHT, HIGHEST_WEIGHT), dtype=np.float64)
