"""How many marks of readers are on nothing, whatever images they were given."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.metrics.judged_readings import JudgedReadings
from backend.domain.metrics.quotients import Numbers
from backend.domain.reading_table import Numbers as Integers

_SHAPE_OF_READERS, _SHAPE_OF_FINDINGS = 2.0, 4.0
"""Of the gamma distribution around 1 of a reader's factor, and of a finding's around it."""
_NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class FalseMarks:
    """Marks on nothing per image; the last column is over all findings.

    Attributes
    ----------
    rates, lows, highs : ndarray of shape (r, 15), [per image]
        In the common mix of normal and abnormal images, with the ends of the 95 % interval.
    counts : ndarray of shape (r, 15)
        How many there were.
    images : ndarray of shape (r,)
        On how many images.
    """

    rates: Numbers
    lows: Numbers
    highs: Numbers
    counts: Integers
    images: Integers


def estimate_false_marks(judged: JudgedReadings) -> FalseMarks:
    """Estimate how many false marks each reader makes per image, corrected for case mix.

    Parameters
    ----------
    judged : JudgedReadings
        Readings held against the truth.

    Returns
    -------
    FalseMarks
        A reader of whom little was seen is close to the panel, with a wide interval.

    Notes
    -----
    Indirect standardisation: a reader's marks over what the panel would have made on the same
    number of normal and of abnormal images is a factor, drawn towards 1 by a gamma prior (a
    finding's towards the reader's). The factor times the panel's rate in the common mix is the
    rate. Marks vary more than by chance from image to image; the intervals, gamma quantiles
    after Wilson and Hilferty, are widened by the panel's overdispersion.

    References
    ----------
    N. Breslow, N. Day, "Statistical Methods in Cancer Research II", 1987, chapter 2.
    """
    readers, findings = len(judged.reader_ids), len(Finding)
    of_reading = judged.readers
    is_abnormal = judged.is_abnormal[judged.images].astype(np.int64)
    images = np.bincount(of_reading * 2 + is_abnormal, minlength=readers * 2).reshape(-1, 2)
    counts = np.bincount(
        of_reading[judged.false_readings] * findings + judged.false_findings,
        minlength=readers * findings,
    ).reshape(readers, findings)
    rates = _panel_rates(judged, is_abnormal, images.sum(axis=0))
    expected = images @ rates
    usual = _common_kinds(judged) @ rates

    spread = _overdispersion(judged, rates[is_abnormal].sum(axis=1))
    seen, due = counts.sum(axis=1) / spread, expected.sum(axis=1) / spread
    shape = seen + _SHAPE_OF_READERS
    factor = shape / (due + _SHAPE_OF_READERS)
    shapes = counts / spread + _SHAPE_OF_FINDINGS * factor[:, None]
    weights = expected / spread + _SHAPE_OF_FINDINGS
    factors = shapes / weights
    # What is borrowed from the reader's factor is as uncertain as that one is.
    borrowed = (_SHAPE_OF_FINDINGS * factor[:, None] / shapes) ** 2 / shape[:, None]
    sharpness = np.column_stack([1 / (1 / shapes + borrowed), shape])
    estimates = np.column_stack([factors * usual, factor * usual.sum()])
    return FalseMarks(
        estimates,
        estimates * _gamma_quantile(sharpness, -_NORMAL_95),
        estimates * _gamma_quantile(sharpness, _NORMAL_95),
        np.column_stack([counts, counts.sum(axis=1)]),
        images.sum(axis=1),
    )


def expected_false_marks(judged: JudgedReadings) -> Numbers:
    """Return how many false marks the panel would make in each reading.

    Parameters
    ----------
    judged : JudgedReadings
        Readings held against the truth.

    Returns
    -------
    ndarray of shape (m,)
        By whether the image is normal.
    """
    is_abnormal = judged.is_abnormal[judged.images].astype(np.int64)
    rates = _panel_rates(judged, is_abnormal, np.bincount(is_abnormal, minlength=2))
    return np.asarray(rates[is_abnormal].sum(axis=1))


def _panel_rates(judged: JudgedReadings, kinds: Integers, readings: Integers) -> Numbers:
    """Return false marks per reading of a normal and of an abnormal image, by finding."""
    cells = kinds[judged.false_readings] * len(Finding) + judged.false_findings
    counts = np.bincount(cells, minlength=2 * len(Finding)).reshape(2, -1)
    over_all = (counts.sum(axis=0) + 0.5) / (readings.sum() + 1.0)
    return np.asarray((counts + over_all) / (readings[:, None] + 1.0))


def _common_kinds(judged: JudgedReadings) -> Numbers:
    """Return the shares of normal and abnormal images."""
    abnormal = judged.is_abnormal.mean() if len(judged.is_abnormal) else 0.5
    return np.array([1 - abnormal, abnormal])


def _overdispersion(judged: JudgedReadings, expected: Numbers) -> float:
    """Return the variance of a reading's false marks over their mean, at least 1."""
    number = len(judged.reader_ids)
    seen = np.bincount(judged.false_readings, minlength=len(expected))
    due = np.bincount(judged.readers, expected, number)
    own = np.bincount(judged.readers, seen, number)
    mean = expected * ((own + 1) / (due + 1))[judged.readers]
    return max(1.0, float(((seen - mean) ** 2).sum() / max(mean.sum(), 1e-9)))


def _gamma_quantile(shape: NDArray[np.float64], normal: float) -> Numbers:
    """Return a quantile of a gamma distribution of mean 1."""
    root = 1 - 1 / (9 * shape) + normal / (3 * np.sqrt(shape))
    return np.asarray(np.maximum(root, 0) ** 3)
