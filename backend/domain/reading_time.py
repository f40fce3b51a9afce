"""How long a reading took, and how long the rest of a worklist will take."""

from collections.abc import Sequence
from math import ceil
from statistics import median

from backend.domain.readings import Reading

FIRST_GUESS_SECONDS = 45.0
"""Time per image while too little of a reader's own pace is known."""

_ENOUGH_READINGS = 5
_LATEST_READINGS = 50


def reading_seconds(reading: Reading) -> float | None:
    """Return the time that one reading took.

    Parameters
    ----------
    reading : Reading
        As it is kept.

    Returns
    -------
    float or None, [s]
        None when it is not known.
    """
    return reading.lead_time_seconds


def seconds_per_image(lead_times_seconds: Sequence[float | None]) -> float:
    """Return the time that a reader takes for an image.

    Parameters
    ----------
    lead_times_seconds : sequence of float or None, [s]
        Of the reader's readings, oldest first; None where it is not known.

    Returns
    -------
    float, [s]
        Median of the latest fifty, so that one image left open over lunch does not count;
        `FIRST_GUESS_SECONDS` when fewer than five are known.

    Examples
    --------
    >>> seconds_per_image([20.0, 30.0, 25.0, None, 22.0, 3600.0])
    25.0
    >>> seconds_per_image([20.0])
    45.0
    """
    known = [seconds for seconds in lead_times_seconds if seconds is not None]
    if len(known) < _ENOUGH_READINGS:
        return FIRST_GUESS_SECONDS
    return median(known[-_LATEST_READINGS:])


def minutes_left(images: int, lead_times_seconds: Sequence[float | None]) -> int:
    """Return how long a reader will take for the images that are left.

    Parameters
    ----------
    images : int
        How many are left.
    lead_times_seconds : sequence of float or None, [s]
        As for `seconds_per_image`.

    Returns
    -------
    int, [min]
        Rounded up; 0 only when no image is left.

    Examples
    --------
    >>> minutes_left(28, [])
    21
    >>> minutes_left(0, [])
    0
    """
    return max(min(images, 1), ceil(images * seconds_per_image(lead_times_seconds) / 60.0))
