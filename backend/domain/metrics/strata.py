"""Which test images are resampled together, so that no resample loses a rare finding."""

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.metrics.judged_marks import JudgedMarks

RARE_BELOW = 40
"""A finding that fewer test images show is rare."""

SMALLEST = 10
"""Strata of fewer images are put together: resampled alone, they would hardly vary."""


def strata_of(judged: JudgedMarks) -> NDArray[np.int64]:
    """Return the stratum of every image.

    Parameters
    ----------
    judged : JudgedMarks
        Truth; marks mean nothing here.

    Returns
    -------
    ndarray of shape (images,)
        The class id of the image's rarest finding where that is rare; common numbers for images
        with other findings, for those without any, and for those of strata that are too small.
    """
    with_findings, without, too_few = len(Finding), len(Finding) + 1, len(Finding) + 2
    shows = np.zeros((judged.images, len(Finding)), dtype=np.bool_)
    shows[judged.lesions.images, judged.lesions.findings] = True
    number = shows.sum(axis=0)
    strata = np.where(shows.any(axis=1), with_findings, without)
    for finding in np.argsort(-number, kind="stable"):  # the rarest last: it decides
        if number[finding] < RARE_BELOW:
            strata[shows[:, finding]] = finding
    sizes = np.bincount(strata, minlength=too_few)
    return np.where(sizes[strata] < SMALLEST, too_few, strata)
