"""Show where the boxes of readings came from, and how long reading took."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain import reading_time
from backend.domain.predictions import PredictedBox
from backend.domain.provenance import TracedBox, trace_boxes
from backend.domain.readings import Reading
from backend.store.readings import KeptReading
from backend.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class TracedReading:
    """A revision of a reading with what was shown and how long it took.

    Attributes
    ----------
    kept : KeptReading
        What was answered, and how it came in.
    boxes : tuple of TracedBox
        Those that stand, then those that the reader deleted.
    active_seconds : float or None, [s]
        Time that the reader took, idle time cut by `reading_time.active_seconds`.
    """

    kept: KeptReading
    boxes: tuple[TracedBox, ...]
    active_seconds: float | None


def trace_readings(store: UnitOfWork, readings: Sequence[KeptReading]) -> list[TracedReading]:
    """Return readings with the provenance of every box.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    readings : sequence of KeptReading
        Of one image or of few.

    Returns
    -------
    list of TracedReading
        In the same order.
    """
    limits = {
        reader_id: reading_time.limit_seconds(store.readings.lead_times(reader_id))
        for reader_id in {kept.reading.reader_id for kept in readings}
    }
    return [
        TracedReading(
            kept,
            trace_boxes(kept.reading, _shown(store, kept.reading)),
            reading_time.active_seconds(
                kept.reading.lead_time_seconds, limits[kept.reading.reader_id]
            ),
        )
        for kept in readings
    ]


def valid_now(revisions: Sequence[KeptReading]) -> list[KeptReading]:
    """Return the revisions that count.

    Parameters
    ----------
    revisions : sequence of KeptReading
        By reader and round, oldest first.

    Returns
    -------
    list of KeptReading
        The newest of every reader and round, where it is neither quarantined nor withdrawn.
    """
    newest = {
        (kept.reading.image_id, kept.reading.reader_id, kept.reading.round): kept
        for kept in revisions
    }
    return [kept for kept in newest.values() if kept.receipt.state == "valid"]


def _shown(store: UnitOfWork, reading: Reading) -> dict[int, PredictedBox]:
    if reading.model_version is None:
        return {}
    found = store.predictions.of_model(reading.model_version, [reading.image_id])
    prediction = found.get(reading.image_id)
    boxes = () if prediction is None else prediction.boxes
    return {box.id: box for box in boxes if box.id is not None}
