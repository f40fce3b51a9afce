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
_STEPS = 50
_HUBER = 1.345
_MEDIAN_DEVIATION_OF_NORMAL = 0.6745
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

    @property
    def in_words(self) -> str:
        """The model as people read it, and where it comes from."""
        source = (
            f"fitted to {self.readings} timed readings"
            if self.readings
            else f"assumed until {ENOUGH_READINGS} readings are timed"
        )
        return (
            f"{self.seconds_per_image:.0f} s per image and {self.seconds_per_box:.0f} s per box, "
            f"{source}"
        )


def fit_cost_model(
    seconds: NDArray[np.float64], boxes: NDArray[np.int64], *, exponent: float = 0.5
) -> CostModel:
    """Fit reading times to what was read.

    Parameters
    ----------
    seconds : ndarray of shape (n,), [s]
        How long readings took, idle time cut.
    boxes : ndarray of shape (n,)
        Boxes that they hold.
    exponent : float
        Of the model.

    Returns
    -------
    CostModel
        The assumed one while there are fewer than `ENOUGH_READINGS`, or fewer than ten with more
        boxes than the mean or ten with fewer.

    Notes
    -----
    Robust regression of seconds on boxes: Huber's weights, ``min(1, 1.345 s / |r|)``, with s the
    median absolute residual over 0.6745. At least 1 s per image and 0 s per box.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics, 1964.

    Examples
    --------
    >>> boxes = np.arange(60) % 4
    >>> fit_cost_model(20.0 + 9.0 * boxes, boxes)
    CostModel(seconds_per_image=20.0, seconds_per_box=9.0, exponent=0.5, readings=60)
    """
    if len(seconds) < ENOUGH_READINGS:
        return CostModel(exponent=exponent)
    if min((boxes > boxes.mean()).sum(), (boxes < boxes.mean()).sum()) < _FEWEST_OF_A_KIND:
        return CostModel(exponent=exponent)
    design = np.stack([np.ones(len(boxes)), boxes.astype(np.float64)], axis=1)
    weights: NDArray[np.floating] = np.ones(len(boxes))
    found: NDArray[np.floating] = np.zeros(2)
    for _ in range(_STEPS):
        weighted = design * weights[:, None]
        before, found = found, np.linalg.solve(weighted.T @ design, weighted.T @ seconds)
        residuals = np.abs(seconds - design @ found)
        scale = max(float(np.median(residuals)) / _MEDIAN_DEVIATION_OF_NORMAL, 1e-6)
        weights = np.minimum(1.0, _HUBER * scale / np.maximum(residuals, 1e-12))
        if np.abs(found - before).max() < 1e-6:
            break
    per_image, per_box = found.round(6).tolist()
    return CostModel(max(_LEAST_SECONDS, per_image), max(0.0, per_box), exponent, len(seconds))
