"""How well each reader reads, by what is really there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.metrics import false_marks, localisation, sensitivity
from backend.domain.metrics.false_marks import FalseMarks
from backend.domain.metrics.judged_readings import JudgedReadings
from backend.domain.metrics.localisation import Localisations
from backend.domain.metrics.quotients import Numbers
from backend.domain.metrics.sensitivity import Sensitivities

FEWEST_LESIONS = 10
"""With fewer lesions on the images read, a sensitivity over all findings is not estimable."""
FEWEST_LESIONS_OF_FINDING = 5
"""Likewise that of one finding."""
FEWEST_IMAGES = 10
"""With fewer images, false marks per image are not estimable."""


@dataclass(frozen=True, slots=True)
class ReaderQuality:
    """How well each reader reads; the last column of two-dimensional ones is over all findings.

    Attributes
    ----------
    reader_ids : tuple of str
        Whose.
    sensitivity : Sensitivities
        Share of lesions found.
    false_marks : FalseMarks
        Marks on nothing per image.
    localisation : Localisations
        Mean IoU of what was found.
    f1 : ndarray of shape (r,), [unitless]
        Of a reader's marks in the common mix; what readers are ranked by.
    is_estimable : ndarray of shape (r, 15)
        Whether enough lesions were there to say anything of sensitivity and localisation.
    is_rate_estimable : ndarray of shape (r,)
        Whether enough images were read to say anything of false marks.
    """

    reader_ids: tuple[str, ...]
    sensitivity: Sensitivities
    false_marks: FalseMarks
    localisation: Localisations
    f1: Numbers
    is_estimable: NDArray[np.bool_]
    is_rate_estimable: NDArray[np.bool_]


def estimate_quality(judged: JudgedReadings) -> ReaderQuality:
    """Estimate how well each reader reads, corrected for case mix.

    Parameters
    ----------
    judged : JudgedReadings
        Readings held against the truth.

    Returns
    -------
    ReaderQuality
        One row per reader; what is not estimable is what is usual in the panel.

    Notes
    -----
    F1 is ``2 n s / (n + n s + f)`` with n lesions per judged image, the sensitivity s and f false
    marks per image, both in the common mix.
    """
    found = sensitivity.estimate_sensitivities(judged)
    false = false_marks.estimate_false_marks(judged)
    fewest = np.append(np.full(found.lesions.shape[1] - 1, FEWEST_LESIONS_OF_FINDING), 0)
    fewest[-1] = FEWEST_LESIONS
    per_image = len(judged.lesion_images) / max(1, len(judged.image_ids))
    hits = per_image * found.estimates[:, -1]
    return ReaderQuality(
        judged.reader_ids,
        found,
        false,
        localisation.estimate_localisations(judged),
        np.asarray(2 * hits / np.maximum(per_image + hits + false.rates[:, -1], 1e-9)),
        found.lesions >= fewest,
        false.images >= FEWEST_IMAGES,
    )
