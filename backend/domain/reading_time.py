"""How long reading takes: the time per image without idle time, and what is left.

Label Studio's time runs from the moment an image is on the screen until it is submitted, also
while nobody sits there, and it sends nothing from which idle time could be told. It is kept as it
came. What is reckoned with is cut: an image counts for at most four times the reader's median, but
two minutes are always believed.
"""

from collections.abc import Sequence
from math import ceil
from statistics import fmean, median

FIRST_GUESS_SECONDS = 45.0
"""Time per image while too little of a reader's own pace is known."""

LEAST_LIMIT_SECONDS = 120.0
"""However fast a reader is, an image may take as long as this."""

MEDIANS_PER_IMAGE = 4.0
"""What is longer than so many medians of the reader is not all reading."""

_ENOUGH_READINGS = 5
_LATEST_READINGS = 50


def limit_seconds(lead_times_seconds: Sequence[float | None]) -> float:
    """Return the longest time that one image of a reader counts for.

    Parameters
    ----------
    lead_times_seconds : sequence of float or None, [s]
        Of the reader's readings, oldest first; None where it is not known.

    Returns
    -------
    float, [s]
        `MEDIANS_PER_IMAGE` times the median of the latest fifty, at least `LEAST_LIMIT_SECONDS`;
        the median is taken to be `FIRST_GUESS_SECONDS` while fewer than five are known.

    Examples
    --------
    >>> limit_seconds([50.0, 60.0, 55.0, None, 45.0, 3600.0])
    220.0
    >>> limit_seconds([10.0] * 5)
    120.0
    >>> limit_seconds([])
    180.0
    """
    known = _known(lead_times_seconds)
    usual = median(known) if len(known) >= _ENOUGH_READINGS else FIRST_GUESS_SECONDS
    return max(LEAST_LIMIT_SECONDS, MEDIANS_PER_IMAGE * usual)


def active_seconds(lead_time_seconds: float | None, limit: float) -> float | None:
    """Return the time that a reader spent on an image, idle time cut.

    Parameters
    ----------
    lead_time_seconds : float or None, [s]
        As Label Studio counted it.
    limit : float, [s]
        The reader's `limit_seconds`.

    Returns
    -------
    float or None, [s]
        Never above the limit; None when it is not known.

    Examples
    --------
    >>> active_seconds(3600.0, limit=220.0)
    220.0
    >>> active_seconds(31.5, limit=220.0)
    31.5
    """
    return None if lead_time_seconds is None else min(lead_time_seconds, limit)


def seconds_per_image(lead_times_seconds: Sequence[float | None]) -> float:
    """Return the time that a reader takes for an image.

    Parameters
    ----------
    lead_times_seconds : sequence of float or None, [s]
        Of the reader's readings, oldest first; None where it is not known.

    Returns
    -------
    float, [s]
        Mean of the latest fifty, each cut at `limit_seconds`: the mean, because few long readings
        make up much of the time; `FIRST_GUESS_SECONDS` when fewer than five are known.

    Examples
    --------
    >>> seconds_per_image([50.0, 60.0, 55.0, None, 45.0, 3600.0])
    86.0
    >>> seconds_per_image([20.0])
    45.0
    """
    known = _known(lead_times_seconds)
    if len(known) < _ENOUGH_READINGS:
        return FIRST_GUESS_SECONDS
    limit = limit_seconds(known)
    return fmean(min(seconds, limit) for seconds in known)


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


def _known(lead_times_seconds: Sequence[float | None]) -> list[float]:
    known = [seconds for seconds in lead_times_seconds if seconds is not None]
    return known[-_LATEST_READINGS:]
