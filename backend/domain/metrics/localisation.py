"""How closely readers draw what they find."""

from dataclasses import dataclass

import numpy as np

from backend.domain.findings import Finding
from backend.domain.metrics.judged_readings import JudgedReadings
from backend.domain.metrics.quotients import Numbers
from backend.domain.metrics.sensitivity import common_mix
from backend.domain.reading_table import Numbers as Integers

_WITHIN, _BETWEEN = 0.14, 0.1
"""Usual standard deviations of an IoU: from box to box, and from reader to reader."""
_NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Localisations:
    """Mean overlap of found lesions; the last column is over all findings.

    Attributes
    ----------
    estimates, lows, highs : ndarray of shape (r, 15), [unitless]
        Mean IoU, over all findings in the common mix, with the ends of the 95 % interval.
    """

    estimates: Numbers
    lows: Numbers
    highs: Numbers


def estimate_localisations(judged: JudgedReadings) -> Localisations:
    """Estimate how closely each reader draws, corrected for which findings were found.

    Parameters
    ----------
    judged : JudgedReadings
        Readings held against the truth.

    Returns
    -------
    Localisations
        A reader of whom little was seen is close to the panel.

    Notes
    -----
    How far a reader is from the panel's mean of the finding, drawn towards 0 (a finding's
    distance towards the reader's) with the weight that the usual spreads give; normal intervals.
    """
    readers, findings = len(judged.reader_ids), len(Finding)
    rows = np.flatnonzero(judged.is_hit)
    reader, finding = judged.chance_readers[rows], judged.chance_findings[rows]
    ious = judged.chance_ious[rows]
    usual = _usual(finding, ious)
    cells = reader * findings + finding
    distance = np.bincount(cells, ious - usual[finding], readers * findings)
    distance = distance.reshape(readers, findings)
    number = np.bincount(cells, minlength=readers * findings).reshape(readers, findings)

    pull = (_WITHIN / _BETWEEN) ** 2
    own = distance.sum(axis=1) / (number.sum(axis=1) + pull)
    variance = _WITHIN**2 / (number.sum(axis=1) + pull)
    by_finding = (distance + pull * own[:, None]) / (number + pull)
    borrowed = (pull / (number + pull)) ** 2 * variance[:, None]
    spread = np.sqrt(np.column_stack([_WITHIN**2 / (number + pull) + borrowed, variance]))
    estimates = np.column_stack([usual + by_finding, common_mix(judged) @ usual + own])
    estimates = np.clip(estimates, 0.0, 1.0)
    return Localisations(
        estimates,
        np.clip(estimates - _NORMAL_95 * spread, 0.0, 1.0),
        np.clip(estimates + _NORMAL_95 * spread, 0.0, 1.0),
    )


def _usual(findings: Integers, ious: Numbers) -> Numbers:
    """Return the panel's mean overlap by finding; that of all where there is none."""
    over_all = float(ious.mean()) if len(ious) else 0.7
    number = np.bincount(findings, minlength=len(Finding))
    total = np.bincount(findings, ious, len(Finding))
    return np.asarray((total + over_all) / (number + 1))
