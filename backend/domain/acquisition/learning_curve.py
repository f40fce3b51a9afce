"""What more reading is expected to bring, from what it has brought so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

FEWEST_POINTS = 3
LEAST_GROWTH = 1.2
"""The most images that a model has learned from, over the fewest; below it there is no curve."""

LEVEL = 0.95
_NORMAL_95 = 1.959964

_DECAYS = np.geomspace(0.1, 2.0, 20)
_SCALES = np.geomspace(0.1, 5.0, 20)
_HEADROOMS = np.linspace(0.0, 1.0, 151) ** 3
_NOISES = np.geomspace(0.003, 0.06, 14)


class NoForecastError(ValueError):
    """The curve is too short to say anything of what follows."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One model version.

    Attributes
    ----------
    model_version : str
        Which.
    read_images : int
        How many images it could learn from.
    map40 : float
        mAP@0.4 in [0, 1], on the same test images for every point.
    """

    model_version: str
    read_images: int
    map40: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What more images are expected to bring.

    Attributes
    ----------
    read_images : int
        Where the curve ends now.
    more_images : int
        How many more.
    gain, low, high : float
        By how much mAP@0.4 is expected to rise, and the ends of its 95 % interval.
    at : tuple of int
        Numbers of images, for drawing.
    curve, curve_low, curve_high : tuple of float
        mAP@0.4 expected there, and the ends of its 95 % interval.
    """

    read_images: int
    more_images: int
    gain: float
    low: float
    high: float
    at: tuple[int, ...] = ()
    curve: tuple[float, ...] = ()
    curve_low: tuple[float, ...] = ()
    curve_high: tuple[float, ...] = ()

    @property
    def margin(self) -> float:
        """Half of the width of the interval of the gain."""
        return (self.high - self.low) / 2


def forecast(points: Sequence[CurvePoint], *, more_images: int) -> Forecast:
    """Return what more images are expected to bring.

    Parameters
    ----------
    points : sequence of CurvePoint
        In any order, all measured on the same test images.
    more_images : int
        How many more than the largest number so far.

    Returns
    -------
    Forecast
        Mean and 95 % interval of the rise of the curve, the noise of the next measurement apart.

    Raises
    ------
    NoForecastError
        If there are fewer than three different numbers of images, or they hardly grow.

    Notes
    -----
    With x the number of images over the largest one so far, the curve is ``m0 + b (1 - x^-c)`` or
    ``m0 + b (1 - exp((1 - x) / t))``, ``m0 + b`` being at most 1, plus normal noise: learning
    that slows down for ever, or that comes to an end. Everything that is not known is averaged
    over: both forms alike, c from 0.1 to 2, t from 0.1 to 5 and the noise from 0.003 to 0.06,
    all evenly on a logarithmic scale, the cube root of b evenly from 0 to 1, m0 evenly. With few
    points the interval is therefore wide. How often it holds what comes: docs/queue.md.
    """
    sizes = np.array([point.read_images for point in points], dtype=np.float64)
    _check(sizes)
    values = np.array([point.map40 for point in points], dtype=np.float64)
    last = sizes.max()

    likely, levels, variance = _likelihood(sizes / last, values)
    at = np.unique(np.linspace(sizes.min(), last + more_images, 24).round())
    rises = _HEADROOMS[:, None, None] * _shapes(np.append(at, last + more_images) / last)
    curve = [
        _widened(_summary(levels + rises[:, :, place], likely), variance)
        for place in range(len(at))
    ]
    gain, low, high = _summary(rises[:, :, -1], likely)
    return Forecast(
        read_images=int(last),
        more_images=more_images,
        gain=gain,
        low=low,
        high=high,
        at=tuple(int(number) for number in at),
        curve=tuple(one[0] for one in curve),
        curve_low=tuple(one[1] for one in curve),
        curve_high=tuple(one[2] for one in curve),
    )


def _check(sizes: Numbers) -> None:
    different = len(np.unique(sizes))
    if different < FEWEST_POINTS:
        raise NoForecastError(
            f"the learning curve has {different} of the {FEWEST_POINTS} points that it needs: "
            "model versions that learned from different numbers of read images and were measured "
            "on the same test images"
        )
    if sizes.max() < LEAST_GROWTH * sizes.min() or sizes.min() <= 0:
        raise NoForecastError(
            f"the models learned from {sizes.min():.0f} to {sizes.max():.0f} images; a curve "
            f"needs {LEAST_GROWTH} times as many at its end as at its start"
        )


def _likelihood(relative: Numbers, values: Numbers) -> tuple[Numbers, Numbers, float]:
    """Return weights and the level m0 for every headroom and form, (b, f), and its variance."""
    shape = _HEADROOMS[:, None, None] * _shapes(relative)
    levels = (values - shape).mean(axis=2)
    squares = ((values - shape - levels[:, :, None]) ** 2).sum(axis=2)
    freedom = len(values) - 1  # the level has been averaged over
    logs = -freedom * np.log(_NOISES) - squares[:, :, None] / (2.0 * _NOISES**2)
    joint = np.exp(logs - logs.max()) * (levels + _HEADROOMS[:, None] <= 1.0)[:, :, None]
    joint /= joint.sum()
    variance = float((joint.sum(axis=(0, 1)) * _NOISES**2).sum()) / len(values)
    return joint.sum(axis=2), levels, variance


def _shapes(relative: Numbers) -> Numbers:
    """Return every form of the curve at some numbers of images, of shape (f, len(relative))."""
    slowing = 1.0 - relative ** -_DECAYS[:, None]
    ending = 1.0 - np.exp((1.0 - relative) / _SCALES[:, None])
    return np.concatenate([slowing, ending])


def _summary(values: Numbers, weights: Numbers) -> tuple[float, float, float]:
    """Return mean and ends of the central interval."""
    order = np.argsort(values, axis=None, kind="stable")
    ordered, share = values.ravel()[order], np.cumsum(weights.ravel()[order])
    ends = np.searchsorted(share, [(1.0 - LEVEL) / 2, (1.0 + LEVEL) / 2])
    low, high = ordered[np.minimum(ends, len(ordered) - 1)]
    return float((values * weights).sum()), float(low), float(high)


def _widened(summary: tuple[float, float, float], variance: float) -> tuple[float, float, float]:
    """Return mean and interval of the curve itself: its form, and how high it lies."""
    mean, low, high = summary
    return (
        mean,
        mean - hypot(mean - low, _NORMAL_95 * variance**0.5),
        mean + hypot(high - mean, _NORMAL_95 * variance**0.5),
    )
