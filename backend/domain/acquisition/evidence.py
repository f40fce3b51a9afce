"""What has been read so far, as far as it decides what to read next."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding


class InvalidEvidenceError(ValueError):
    """The features of the read images and their answers do not fit together."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What has been read so far; without arguments, nothing.

    Attributes
    ----------
    positive_images : ndarray of shape (14,), [images]
        How many read images show each finding, by class id.
    average_precision : ndarray of shape (14,), [unitless], or None
        Of the champion on the validation split, in [0, 1]; NaN for findings that the split does
        not show. None when nothing was measured.
    features : ndarray of shape (m, d), or None
        What read images look like to the champion.
    is_positive : ndarray of shape (m,) of bool, or None
        Whether they show any finding.

    Raises
    ------
    InvalidEvidenceError
        If there are not as many answers as rows of features.
    """

    positive_images: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(len(Finding), dtype=np.int64)
    )
    average_precision: NDArray[np.float64] | None = None
    features: NDArray[np.floating] | None = None
    is_positive: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        rows = 0 if self.features is None else len(self.features)
        answers = 0 if self.is_positive is None else len(self.is_positive)
        if rows != answers:
            raise InvalidEvidenceError(
                f"expected one answer per read image, got {answers} for {rows} rows of features"
            )
