"""How long an image will take to read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SECONDS_PER_IMAGE = 15.0
SECONDS_PER_BOX = 12.0
"""Assumed until enough has been read."""

ENOUGH_READINGS = 50
"""From so many timed readings on, the readers' own times count."""

_FEWEST_OF_A_KIND = 10
_ROBUST_STEPS = 50
_HUBER = 1.345
_MAD_OF_NORMAL = 0.6745
_LEAST_SECONDS = 1.0


class InvalidCostError(ValueError):
    """A reading time is not a positive number, or an exponent is negative."""


@dataclass(frozen=True, slots=True)
class CostModel:
    """Expected reading time, and how much it counts.

    Attributes
    ----------
    seconds_per_image : float, [s]
        For an image without boxes.
    seconds_per_box : float, [s]
        More for every box.
    exponent : float, [unitless]
        An image's worth is divided by its time to this power: 0 time does not count … 1 worth
        per second.
    readings : int
        Timed readings that it was fitted to; 0 when it is assumed.
    """

    seconds_per_image: float = SECONDS_PER_IMAGE
    seconds_per_box: float = SECONDS_PER_BOX
    exponent: float = 0.5
    readings: int = 0

    def __post_init__(self) -> None:
        values = self.seconds_per_image, self.seconds_per_box, self.exponent
        if not (np.isfinite(values).all() and self.seconds_per_image > 0.0 and min(values) >= 0.0):
            raise InvalidCostError(
                "expected more than 0 seconds per image, and 0 or more per box and as exponent; "
                f"got {values}"
            )

    def expected_seconds(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how long images will take.

        Parameters
        ----------
        boxes : ndarray of shape (n,)
            Expected number of boxes.

        Returns
        -------
        ndarray of shape (n,), [s]
            ``t0 + t1 · boxes``.

        Examples
        --------
        >>> CostModel().expected_seconds(np.array([0.0, 2.5]))
        array([15., 45.])
        """
        return self.seconds_per_image + self.seconds_per_box * boxes

    def divisor(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the worth of images is divided by.

        Parameters
        ----------
        boxes : ndarray of shape (n,)
            Expected number of boxes.

        Returns
        -------
        ndarray of shape (n,)
            Expected minutes to the power of the exponent.
        """
        return np.asarray((self.expected_seconds(boxes) / 60.0) ** self.exponent)
