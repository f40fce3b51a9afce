"""What was measured of readers, reader by reader, for people and programs."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from backend.domain.consensus.reader_estimates import ReaderEstimates
from backend.domain.findings import Finding
from backend.domain.metrics.drift import Window
from backend.domain.metrics.habits import FEWEST_OTHERS
from backend.domain.metrics.quotients import Numbers
from backend.domain.metrics.reader_quality import ReaderQuality
from backend.workflow.measure_readers import ReaderReport

_OVER_ALL = len(Finding)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes
    ----------
    value, low, high : float
        The number and the ends of the interval; where it is not estimable, what is usual in the
        panel.
    is_estimable : bool
        Whether enough was seen of this reader.
    """

    value: float
    low: float
    high: float
    is_estimable: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """How well a reader reads one finding, or all of them.

    Attributes
    ----------
    finding : str or None
        Its title; None over all findings.
    lesions, found, false_marks : int
        Counted on adjudicated images.
    sensitivity, false_marks_per_image, mean_iou : Estimate
        By the truth, corrected for case mix.
    sensitivity_by_peers : Estimate
        Judged by the other readers, on everything that was read.
    false_marks_per_image_by_peers : float
        Likewise.
    """

    finding: str | None
    lesions: int
    found: int
    false_marks: int
    sensitivity: Estimate
    false_marks_per_image: Estimate
    mean_iou: Estimate
    sensitivity_by_peers: Estimate
    false_marks_per_image_by_peers: float


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One figure of a reader over time.

    Attributes
    ----------
    figure : str
        For example "boxes per image".
    readings : int
        How many it is based on.
    p_value : float or None
        Of no change; None with too few readings.
    has_drifted : bool
        Whether there is evidence of a change.
    changed_at : datetime or None
        When it most likely happened.
    before, after : float or None
        The figure up to then and from then on.
    windows : tuple of Window
        The figure over time.
    """

    figure: str
    readings: int
    p_value: float | None
    has_drifted: bool
    changed_at: datetime | None
    before: float | None
    after: float | None
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class HabitRow:
    """How often a reader draws a finding, against the median of the others.

    Attributes
    ----------
    finding : str
        Its title.
    ratio, low, high : float
        How often, with the 95 % interval.
    boxes : int
        How many.
    is_unusual : bool
        Whether the interval leaves out 1.
    """

    finding: str
    ratio: float
    low: float
    high: float
    boxes: int
    is_unusual: bool


@dataclass(frozen=True, slots=True)
class ReaderRow:
    """How well one reader reads.

    Attributes
    ----------
    reader_id : str
        Pseudonym.
    readings, judged_readings, gold_readings : int
        All that count; those of adjudicated images; those that were gold cases.
    f1 : float or None
        Of the marks, in the common mix; None when not estimable.
    reliability : float
        The same by the other readers.
    overall : Figures
        Over all findings.
    by_finding : tuple of Figures
        All fourteen.
    drift : tuple of DriftRow
        Four figures over time.
    habits : tuple of HabitRow
        What can be compared.
    """

    reader_id: str
    readings: int
    judged_readings: int
    gold_readings: int
    f1: float | None
    reliability: float
    overall: Figures
    by_finding: tuple[Figures, ...]
    drift: tuple[DriftRow, ...]
    habits: tuple[HabitRow, ...]


@dataclass(frozen=True, slots=True)
class OthersMedian:
    """What the other readers reach, without saying who.

    Attributes
    ----------
    readers : int
        How many others have been measured.
    sensitivity, false_marks_per_image, mean_iou : float or None
        Medians; None with fewer than three.
    """

    readers: int
    sensitivity: float | None
    false_marks_per_image: float | None
    mean_iou: float | None


def rows_of(report: ReaderReport) -> tuple[ReaderRow, ...]:
    """Return what was measured of every reader.

    Parameters
    ----------
    report : ReaderReport
        From `measure_readers`.

    Returns
    -------
    tuple of ReaderRow
        The best first, those who cannot be judged by the truth last; equal ones by reader id.
    """
    rows = [_row(report, number) for number in range(len(report.peers.reader_ids))]
    return tuple(sorted(rows, key=lambda row: (-(row.f1 or 0.0), row.reader_id)))


def others_median(rows: Collection[ReaderRow], reader_id: str) -> OthersMedian:
    """Return what the other readers reach.

    Parameters
    ----------
    rows : collection of ReaderRow
        Of all readers.
    reader_id : str
        Who asks.

    Returns
    -------
    OthersMedian
        Nothing that could be traced to one of them.
    """
    others = [row.overall for row in rows if row.reader_id != reader_id and row.f1 is not None]
    if len(others) < FEWEST_OTHERS:
        return OthersMedian(len(others), None, None, None)
    return OthersMedian(
        len(others),
        float(np.median([one.sensitivity.value for one in others])),
        float(np.median([one.false_marks_per_image.value for one in others])),
        float(np.median([one.mean_iou.value for one in others])),
    )


def _row(report: ReaderReport, reader: int) -> ReaderRow:
    quality, peers = report.quality, report.peers
    reader_id = peers.reader_ids[reader]
    is_judged = bool(quality.is_estimable[reader, _OVER_ALL] and quality.is_rate_estimable[reader])
    return ReaderRow(
        reader_id,
        int(peers.readings[reader]),
        int((report.judged.readers == reader).sum()),
        report.gold.get(reader_id, 0),
        float(quality.f1[reader]) if is_judged else None,
        float(peers.reliability[reader]),
        _figures(quality, peers, reader, None),
        tuple(_figures(quality, peers, reader, finding) for finding in Finding),
        tuple(
            DriftRow(
                figure.value,
                drift.readings,
                drift.p_value,
                drift.has_drifted,
                drift.changed_at,
                drift.before,
                drift.after,
                drift.windows,
            )
            for figure, drift in report.drift[reader_id].items()
        ),
        tuple(
            HabitRow(one.finding.title, one.ratio, one.low, one.high, one.boxes, one.is_unusual)
            for one in report.habits[reader_id]
        ),
    )


def _figures(
    quality: ReaderQuality, peers: ReaderEstimates, reader: int, finding: Finding | None
) -> Figures:
    column = _OVER_ALL if finding is None else int(finding)
    found, false, place = quality.sensitivity, quality.false_marks, quality.localisation
    is_seen = bool(quality.is_estimable[reader, column])
    is_counted = bool(quality.is_rate_estimable[reader])
    at = reader, column
    return Figures(
        None if finding is None else finding.title,
        int(found.lesions[at]),
        int(found.found[at]),
        int(false.counts[at]),
        _estimate((found.estimates, found.lows, found.highs), at, is_estimable=is_seen),
        _estimate((false.rates, false.lows, false.highs), at, is_estimable=is_counted),
        _estimate(
            (place.estimates, place.lows, place.highs),
            at,
            is_estimable=is_seen and bool(found.found[at]),
        ),
        _estimate(
            (peers.sensitivity, peers.low, peers.high),
            at,
            is_estimable=bool(peers.is_estimable[reader]),
        ),
        float(peers.false_marks[at]),
    )


def _estimate(
    columns: tuple[Numbers, Numbers, Numbers], at: tuple[int, int], *, is_estimable: bool
) -> Estimate:
    value, low, high = (float(column[at]) for column in columns)
    return Estimate(value, low, high, is_estimable)
