"""Measure how well readers read: by the truth, by one another, over time, and in both arms."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from backend.domain.consensus.reader_estimates import ReaderEstimates
from backend.domain.metrics.automation_bias import AutomationBias, measure_bias
from backend.domain.metrics.bias_outcomes import DrawnReading, Reference
from backend.domain.metrics.drift import Drift, detect_drift
from backend.domain.metrics.drift_figures import Figure, Sitting, drift_series
from backend.domain.metrics.habits import Habit, compare_habits
from backend.domain.metrics.judged_readings import JudgedReadings, judge, truth_table
from backend.domain.metrics.reader_quality import ReaderQuality, estimate_quality
from backend.domain.reading_table import ReadingTable
from backend.domain.reading_time import active_seconds, limit_seconds
from backend.domain.readings import Arm, Reading
from backend.domain.worklists import EntryKind
from backend.store.reader_evidence import DrawnEntry
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.adjudicated_images import AdjudicatedImage, adjudicated_images
from backend.workflow.assess_readers import assess_readers
from backend.workflow.bias_references import model_tables, others_as_truth


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about how readers read.

    Attributes
    ----------
    readings : tuple of Reading
        Those that count, one per image and reader.
    truths : mapping of str to AdjudicatedImage
        Images with a settled answer.
    asked : mapping of (str, str) to EntryKind
        The readings that were asked for here, by image and reader; others were imported.
    drawn : tuple of DrawnReading
        Those whose arm was drawn by lot.
    others : tuple of Reference
        Drawn readings of images without a settled answer, with what the other readers say.
    models : mapping of str to ReadingTable
        What each model version shows.
    """

    readings: tuple[Reading, ...]
    truths: Mapping[str, AdjudicatedImage]
    asked: Mapping[tuple[str, str], EntryKind]
    drawn: tuple[DrawnReading, ...] = ()
    others: tuple[Reference, ...] = ()
    models: Mapping[str, ReadingTable] | None = None


@dataclass(frozen=True, slots=True)
class ReaderReport:
    """How well readers read.

    Attributes
    ----------
    peers : ReaderEstimates
        Judged by one another, on everything that was read.
    judged : JudgedReadings
        Readings of adjudicated images, held against the truth.
    quality : ReaderQuality
        Judged by the truth; rows in the order of `peers`.
    gold : mapping of str to int
        How many gold cases each reader has read; readers without one are missing.
    drift : mapping of str to mapping of Figure to Drift
        By reader.
    bias_by_truth, bias_by_others : AutomationBias
        What the pre-annotation changes, on adjudicated images, and on the others by what the
        other readers say, most of whom saw it as well.
    habits : mapping of str to tuple of Habit
        By reader, how often each finding is drawn, compared with the others.
    """

    peers: ReaderEstimates
    judged: JudgedReadings
    quality: ReaderQuality
    gold: Mapping[str, int]
    drift: Mapping[str, Mapping[Figure, Drift]]
    bias_by_truth: AutomationBias
    bias_by_others: AutomationBias
    habits: Mapping[str, tuple[Habit, ...]]


def measure_readers(store: UnitOfWork, *, before: datetime | None = None) -> ReaderReport:
    """Measure how well the readers of the store read.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    before : datetime or None
        By what was read before then; aware. None for everything.

    Returns
    -------
    ReaderReport
        The same for the same store.

    Raises
    ------
    NothingReadError
        If there is no reading.
    """
    return report_on(gather_evidence(store, before=before))


def gather_evidence(store: UnitOfWork, *, before: datetime | None = None) -> Evidence:
    """Return what the store knows about how readers read.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    before : datetime or None
        By what was read before then; aware. None for everything.

    Returns
    -------
    Evidence
        For `report_on`.
    """
    readings = tuple(
        one for one in store.readings.counting() if before is None or one.read_at < before
    )
    truths = adjudicated_images(store)
    drawn = _drawn(readings, store.evidence.drawn())
    return Evidence(
        readings,
        truths,
        store.evidence.asked(),
        drawn,
        others_as_truth(store, readings, drawn, settled=truths),
        model_tables(store, drawn),
    )


def report_on(evidence: Evidence) -> ReaderReport:
    """Say how well readers read.

    Parameters
    ----------
    evidence : Evidence
        From `gather_evidence`.

    Returns
    -------
    ReaderReport
        What is not estimable says so.

    Raises
    ------
    NothingReadError
        If there is no reading.
    """
    return _report(ReadingTable.of(evidence.readings), evidence)


def report_on_table(table: ReadingTable) -> ReaderReport:
    """Say how well readers read, when nothing is known but what they marked.

    Parameters
    ----------
    table : ReadingTable
        All readings there are.

    Returns
    -------
    ReaderReport
        By one another only.

    Raises
    ------
    NothingReadError
        If there is no reading.
    """
    return _report(table, Evidence((), {}, {}))


def _report(table: ReadingTable, evidence: Evidence) -> ReaderReport:
    peers = assess_readers(table)
    truth = truth_table({image: one.lesions for image, one in evidence.truths.items()})
    judged = judge(table, truth)
    asked = [one for one in evidence.readings if (one.image_id, one.reader_id) in evidence.asked]
    minutes = _minutes(evidence.readings)
    sittings = {
        (one.image_id, one.reader_id): Sitting(
            one.read_at, one.arm is Arm.ASSISTED, minutes[one.image_id, one.reader_id]
        )
        for one in asked
    }
    gold: dict[str, int] = {}
    for one in asked:
        if evidence.asked[one.image_id, one.reader_id] is EntryKind.GOLD:
            gold[one.reader_id] = gold.get(one.reader_id, 0) + 1
    models = evidence.models or {}
    return ReaderReport(
        peers,
        judged,
        estimate_quality(judged),
        gold,
        {
            reader_id: {figure: detect_drift(series) for figure, series in figures.items()}
            for reader_id, figures in drift_series(table, judged, sittings).items()
        },
        measure_bias(evidence.drawn, [Reference(table, truth)], models),
        measure_bias(evidence.drawn, evidence.others, models),
        compare_habits(table),
    )


def _drawn(readings: tuple[Reading, ...], entries: list[DrawnEntry]) -> tuple[DrawnReading, ...]:
    """Return the readings of entries whose arm was drawn."""
    versions = {(one.image_id, one.reader_id): one.model_version for one in entries}
    minutes = _minutes(readings)
    return tuple(
        DrawnReading(
            one.image_id,
            one.reader_id,
            one.arm is Arm.ASSISTED,
            versions[one.image_id, one.reader_id],
            minutes[one.image_id, one.reader_id],
        )
        for one in readings
        if (one.image_id, one.reader_id) in versions
    )


def _minutes(readings: tuple[Reading, ...]) -> dict[tuple[str, str], float | None]:
    """Return how long each reading took, idle time cut."""
    seconds: dict[str, list[float | None]] = {}
    for one in sorted(readings, key=lambda one: one.read_at):
        seconds.setdefault(one.reader_id, []).append(one.lead_time_seconds)
    limits = {reader_id: limit_seconds(own) for reader_id, own in seconds.items()}
    active = {
        (one.image_id, one.reader_id): active_seconds(one.lead_time_seconds, limits[one.reader_id])
        for one in readings
    }
    return {key: one / 60 if one else None for key, one in active.items()}
