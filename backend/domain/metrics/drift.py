"""Whether a reader has changed over time, or only varies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from backend.domain.metrics.quotients import Numbers

FEWEST_READINGS, FEWEST_DAYS = 40, 12
"""A series of fewer readings, or on fewer days, is too short to tell."""
FALSE_ALARMS = 0.001
"""Accepted of one figure at one look, so that many figures may be looked at again and again."""

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
    The test is a CUSUM over days of what came out less what was due: the largest distance of the
    running sum from the straight line, over its standard deviation, which for a reader who does
    not change is the supremum of a Brownian bridge (Kolmogorov's distribution). Readings of one
    day go together and count as one. The variance of a day is half the mean square of successive
    differences (von Neumann), which a change of level hardly raises.

    References
    ----------
    W. Ploberger, W. Kraemer, "The CUSUM test with OLS residuals", 1992.
    J. von Neumann et al., "The mean square successive difference", 1941.
    """
    number = len(series.times)
    if not number or not series.weights.sum():
        return Drift(number, None, False, None, None, None, ())
    residuals = series.totals - series.due
    residuals = residuals - series.weights * residuals.sum() / series.weights.sum()
    windows = _windows(series, residuals)
    starts = _first_of_days(series.times)
    if number < FEWEST_READINGS or len(starts) < FEWEST_DAYS:
        return Drift(number, None, False, None, None, None, windows)
    by_day = np.add.reduceat(residuals, starts)
    path = np.cumsum(by_day)[:-1]
    # Of neighbouring days: a change of level leaves it as it is.
    deviation = np.sqrt(len(by_day) * (np.diff(by_day) ** 2).mean() / 2)
    p_value = _kolmogorov(float(np.abs(path).max()) / deviation) if deviation > 0 else 1.0
    if p_value >= FALSE_ALARMS:
        return Drift(number, p_value, False, None, None, None, windows)
    change = starts[int(np.abs(path).argmax()) + 1]
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


def _first_of_days(times: Sequence[datetime]) -> list[int]:
    """Return the first reading of every day."""
    days = [time.date() for time in times]
    return [row for row, day in enumerate(days) if row == 0 or day != days[row - 1]]


def _kolmogorov(distance: float) -> float:
    """Return how often the supremum of a Brownian bridge is at least this far."""
    if distance < 0.2:
        return 1.0
    terms = np.arange(1, 101)
    series = 2 * ((-1.0) ** (terms - 1) * np.exp(-2 * (terms * distance) ** 2)).sum()
    return float(min(1.0, max(0.0, series)))
