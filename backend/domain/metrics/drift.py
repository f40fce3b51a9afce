"""Whether a reader has changed over time, or only varies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from backend.domain.metrics.quotients import Numbers

FEWEST_READINGS = 40
"""A series shorter than this is too short to tell."""
FALSE_ALARMS = 0.0025
"""Accepted of one figure: with four figures of a reader, 1 % of the readers who do not change."""

_NORMAL_95 = 1.959964
_SHORT_SPAN_MONTHS = 3
_READINGS_PER_WINDOW = 40


@dataclass(frozen=True, slots=True)
class Series:
    """One figure of one reader, reading by reading.

    Attributes
    ----------
    times : tuple of datetime
        When, in rising order; aware.
    totals, due : ndarray of shape (n,)
        What came out, and what was to be expected of the panel for these images.
    weights : ndarray of shape (n,)
        Over how much: lesions for a sensitivity, else 1.
    """

    times: tuple[datetime, ...]
    totals: Numbers
    due: Numbers
    weights: Numbers


@dataclass(frozen=True, slots=True)
class Window:
    """A figure over some time.

    Attributes
    ----------
    name : str
        A month such as "2026-03", or readings such as "41-80".
    readings : int
        How many there were.
    mean, low, high : float
        The figure, as it would be on the reader's usual images, with its 95 % interval.
    """

    name: str
    readings: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Drift:
    """Whether one figure of a reader changed.

    Attributes
    ----------
    readings : int
        How many it is based on.
    p_value : float or None
        How often a reader who does not change would look like this; None when there are too few
        readings.
    has_drifted : bool
        Whether that is rarer than `FALSE_ALARMS`.
    changed_at : datetime or None
        When the change is most likely to have happened.
    before, after : float or None
        The figure up to then and from then on.
    windows : tuple of Window
        The figure over time.
    """

    readings: int
    p_value: float | None
    has_drifted: bool
    changed_at: datetime | None
    before: float | None
    after: float | None
    windows: tuple[Window, ...]


def detect_drift(series: Series) -> Drift:
    """Tell whether a figure changed over time.

    Parameters
    ----------
    series : Series
        Reading by reading.

    Returns
    -------
    Drift
        "Drifted" with evidence only.

    Notes
    -----
    The test is a CUSUM of what came out less what was due: the largest distance of the running
    sum from the straight line, over its standard deviation, which for a reader who does not
    change is the supremum of a Brownian bridge (Kolmogorov's distribution). The standard deviation
    allows for neighbours that go together (Bartlett's weights over n^(1/3) of them), as readings
    of one session do.

    References
    ----------
    W. Ploberger, W. Kraemer, "The CUSUM test with OLS residuals", 1992.
    """
    number = len(series.times)
    if not number or not series.weights.sum():
        return Drift(number, None, False, None, None, None, ())
    residuals = series.totals - series.due
    residuals = residuals - series.weights * residuals.sum() / series.weights.sum()
    windows = _windows(series, residuals)
    if number < FEWEST_READINGS:
        return Drift(number, None, False, None, None, None, windows)
    path = np.cumsum(residuals)[:-1]
    deviation = np.sqrt(number * _long_run_variance(residuals))
    p_value = _kolmogorov(float(np.abs(path).max()) / deviation) if deviation > 0 else 1.0
    if p_value >= FALSE_ALARMS:
        return Drift(number, p_value, False, None, None, None, windows)
    change = int(np.abs(path).argmax()) + 1
    return Drift(
        number,
        p_value,
        True,
        series.times[change],
        _level(series, residuals, slice(0, change)),
        _level(series, residuals, slice(change, None)),
        windows,
    )


def _level(series: Series, residuals: Numbers, rows: slice) -> float:
    """Return the figure over some readings, as it would be on the reader's usual images."""
    usual = series.totals.sum() / series.weights.sum()
    weight = max(float(series.weights[rows].sum()), 1e-9)
    return float(usual + residuals[rows].sum() / weight)


def _windows(series: Series, residuals: Numbers) -> tuple[Window, ...]:
    names = _window_names(series.times)
    starts = [0, *(row for row in range(1, len(names)) if names[row] != names[row - 1])]
    found = []
    for start, end in zip(starts, [*starts[1:], len(names)], strict=True):
        rows = slice(start, end)
        weight = float(series.weights[rows].sum())
        if weight <= 0:
            continue
        mean = _level(series, residuals, rows)
        spread = float(np.sqrt((residuals**2).mean() * (end - start))) / weight
        reach = _NORMAL_95 * spread
        found.append(Window(names[start], end - start, mean, mean - reach, mean + reach))
    return tuple(found)


def _window_names(times: Sequence[datetime]) -> list[str]:
    """Return the month of every reading; of a short span, which readings it belongs to."""
    months = [f"{time:%Y-%m}" for time in times]
    if len(set(months)) >= _SHORT_SPAN_MONTHS:
        return months
    size, number = _READINGS_PER_WINDOW, len(times)
    firsts = [row // size * size for row in range(number)]
    return [f"{first + 1}-{min(first + size, number)}" for first in firsts]


def _long_run_variance(residuals: Numbers) -> float:
    """Return the variance of the mean times n, when neighbours may go together."""
    number = len(residuals)
    lags = int(np.cbrt(number))
    variance = float(residuals @ residuals) / number
    for lag in range(1, lags + 1):
        together = float(residuals[lag:] @ residuals[:-lag]) / number
        variance += 2 * (1 - lag / (lags + 1)) * together
    return max(variance, 0.0)


def _kolmogorov(distance: float) -> float:
    """Return how often the supremum of a Brownian bridge is at least this far."""
    if distance < 0.2:
        return 1.0
    terms = np.arange(1, 101)
    series = 2 * ((-1.0) ** (terms - 1) * np.exp(-2 * (terms * distance) ** 2)).sum()
    return float(min(1.0, max(0.0, series)))
