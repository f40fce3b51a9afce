"""How far a number could have come out differently on other images."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from backend.domain.metrics.quotients import Numbers

Statistic: TypeAlias = Callable[[Numbers], Numbers]

_WEIGHTS_AT_ONCE = 2**22  # 32 MiB


class ImpossibleResamplingError(ValueError):
    """There are too few resamples, or the level is not a share."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its bootstrap interval.

    Attributes
    ----------
    estimate : float or None
        On the images as they are; None where it is not defined.
    low, high : float or None
        Ends of the interval; None where no resample defines the number.
    """

    estimate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Intervals:
    """Many numbers with their bootstrap intervals.

    Attributes
    ----------
    estimates : ndarray of any shape
        On the images as they are; NaN where it is not defined.
    lows, highs : ndarray of the same shape
        Ends of the intervals; NaN where no resample defines the number.
    """

    estimates: Numbers
    lows: Numbers
    highs: Numbers

    def at(self, *index: int) -> Interval:
        """Return one of them.

        Parameters
        ----------
        *index : int
            Which.

        Returns
        -------
        Interval
            The number and its ends.
        """
        return Interval(
            *(_or_none(array[index]) for array in (self.estimates, self.lows, self.highs))
        )


def percentile_intervals(
    statistic: Statistic,
    images: int,
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    strata: NDArray[np.int64] | None = None,
) -> Intervals:
    """Return numbers with percentile bootstrap intervals over images.

    Parameters
    ----------
    statistic : callable
        Takes weights of shape (r, images), how often each image counts in each of r resamples,
        and returns the numbers, of shape (r, ...); NaN where one is not defined. For sums over
        images it is ``weights @ per_image`` and a formula; for a paired comparison it is a
        difference under the same weights.
    images : int
        How many images there are.
    rng : numpy.random.Generator
        Source of the resamples.
    resamples : int
        How many, at least 1.
    level : float
        Share of the resamples inside the interval, in (0, 1).
    strata : ndarray of shape (images,) or None
        The stratum of every image; a resample draws within each as many as it has. All images
        are one stratum when None.

    Returns
    -------
    Intervals
        The numbers with every image counted once, and their intervals.

    Raises
    ------
    ImpossibleResamplingError
        If there is no resample or the level is not between 0 and 1.

    Notes
    -----
    A resample draws as many images as there are, with replacement. The interval reaches from the
    ``(1 - level) / 2`` to the ``(1 + level) / 2`` quantile of the resamples that define the
    number.

    References
    ----------
    B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    if resamples < 1 or not 0 < level < 1:
        raise ImpossibleResamplingError(
            f"expected at least 1 resample and a level between 0 and 1, got {resamples}, {level}"
        )
    estimates = statistic(np.ones((1, images)))[0]
    if not images:
        return Intervals(estimates, estimates, estimates)
    drawn = resampled(statistic, images, rng, resamples=resamples, strata=strata)
    tail = (1 - level) / 2
    return Intervals(estimates, quantile(drawn, tail), quantile(drawn, 1 - tail))


def resampled(
    statistic: Statistic,
    images: int,
    rng: np.random.Generator,
    *,
    resamples: int,
    strata: NDArray[np.int64] | None = None,
) -> Numbers:
    """Return numbers on resamples of the images.

    Parameters
    ----------
    statistic : callable
        As `percentile_intervals` takes it.
    images : int
        How many images there are, at least 1.
    rng : numpy.random.Generator
        Source of the resamples.
    resamples : int
        How many, at least 1.
    strata : ndarray of shape (images,) or None
        As `percentile_intervals` takes it.

    Returns
    -------
    ndarray of shape (resamples, ...)
        One row of numbers per resample.
    """
    own = np.zeros(images, dtype=np.int64) if strata is None else strata
    return np.concatenate([statistic(block) for block in _weights(own, rng, resamples)])


def quantile(drawn: Numbers, share: float) -> Numbers:
    """Return a quantile of the resamples that define a number.

    Parameters
    ----------
    drawn : ndarray of shape (resamples, ...)
        Numbers; NaN where a resample does not define one.
    share : float
        Which quantile, in [0, 1].

    Returns
    -------
    ndarray of shape (...)
        Between neighbours by straight line; NaN where no resample defines the number.

    Examples
    --------
    >>> quantile(np.array([[4.0], [np.nan], [2.0]]), 0.5)
    array([3.])
    """
    ordered = np.sort(drawn, axis=0)  # a NaN sorts last and would be taken for a high number
    return _quantile(ordered, np.isfinite(ordered).sum(axis=0), share)


def _weights(
    strata: NDArray[np.int64], rng: np.random.Generator, resamples: int
) -> Iterator[Numbers]:
    """Yield all resamples' weights in blocks that fit into memory."""
    images = len(strata)
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    at_once = max(1, _WEIGHTS_AT_ONCE // images)
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        counts = np.zeros((rows, images))
        for own in members:
            drawn = rng.integers(len(own), size=(rows, len(own)))
            drawn += len(own) * np.arange(rows)[:, None]
            counted = np.bincount(drawn.ravel(), minlength=rows * len(own))
            counts[:, own] = counted.reshape(rows, len(own))
        yield counts


def _quantile(ordered: Numbers, defined: NDArray[np.int64], share: float) -> Numbers:
    """Return a quantile of the first `defined` rows, between neighbours by straight line."""
    place = share * np.maximum(defined - 1, 0)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(defined - 1, 0))
    lower, upper = (np.take_along_axis(ordered, row[None], axis=0)[0] for row in (below, above))
    return np.asarray(lower + (place - below) * (upper - lower), dtype=np.float64)


def _or_none(number: np.float64) -> float | None:
    return float(number) if np.isfinite(number) else None
