"""What the store knows of how readings came about, for measuring their readers."""

from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from backend.domain.readings import Origin, ReadingKind
from backend.domain.worklists import EntryKind
from backend.store.tables import (
    ConsensusRow,
    ModelVersionRow,
    PredictionRow,
    ReadBoxRow,
    ReadingRow,
    WorklistEntryRow,
)


@dataclass(frozen=True, slots=True)
class DrawnEntry:
    """A first reading that was asked for in an arm drawn by lot.

    Attributes
    ----------
    image_id, reader_id : str
        Who was to read what.
    model_version : str
        Whose boxes were shown, or would have been in the other arm.
    """

    image_id: str
    reader_id: str
    model_version: str


@dataclass(frozen=True, slots=True)
class TimedReading:
    """How long a reading took, and how much was drawn.

    Attributes
    ----------
    reader_id : str
        Whose.
    seconds : float, [s]
        Time that the image was open, idle time included.
    boxes : int
        Boxes that stood at the end.
    """

    reader_id: str
    seconds: float
    boxes: int


class ReaderEvidence:
    """Where readings came from, and which of them can be held against something.

    Parameters
    ----------
    session : Session
        The transaction to read in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def timed(self) -> list[TimedReading]:
        """Return how long the first readings that stand took, as far as it is known.

        Returns
        -------
        list of TimedReading
            Oldest first; second looks are quicker and would say nothing of reading.
        """
        boxes = (
            select(func.count())
            .where(ReadBoxRow.reading_id == ReadingRow.id, ReadBoxRow.origin != Origin.DELETED)
            .scalar_subquery()
        )
        query = (
            select(ReadingRow.reader_id, ReadingRow.lead_time_seconds, boxes)
            .where(
                ReadingRow.kind == ReadingKind.READING,
                ReadingRow.is_current,
                ReadingRow.state == "valid",
                ReadingRow.lead_time_seconds.is_not(None),
            )
            .order_by(ReadingRow.read_at, ReadingRow.id)
        )
        return [
            TimedReading(reader_id, seconds or 0.0, number)
            for reader_id, seconds, number in self._session.execute(query)
        ]

    def drawn(self) -> list[DrawnEntry]:
        """Return the entries whose arm was drawn.

        An entry that was made before a champion had answered its image is unassisted by
        circumstance: nothing was drawn, and it says nothing about the model's influence.

        Returns
        -------
        list of DrawnEntry
            By key.
        """
        entry, prediction, model = WorklistEntryRow, PredictionRow, ModelVersionRow
        query = (
            select(entry.id, entry.image_id, entry.reader_id, prediction.model_version)
            .join(prediction, prediction.image_id == entry.image_id)
            .join(model, model.name == prediction.model_version)
            .where(
                entry.round == 1,
                entry.arm_drawn,
                entry.kind.in_([EntryKind.READING, EntryKind.GOLD]),
                or_(
                    entry.model_version == prediction.model_version,
                    and_(
                        entry.model_version.is_(None),
                        prediction.predicted_at <= entry.created_at,
                        model.promoted_at <= entry.created_at,
                    ),
                ),
            )
            .order_by(entry.id, model.promoted_at)
        )
        newest = {
            key: DrawnEntry(image_id, reader_id, version)
            for key, image_id, reader_id, version in self._session.execute(query)
        }
        return list(newest.values())

    def asked(self) -> dict[tuple[str, str], EntryKind]:
        """Return the first readings that were asked for here; imported ones were not.

        Returns
        -------
        dict of (str, str) to EntryKind
            Image and reader to READING or GOLD.
        """
        query = select(
            WorklistEntryRow.image_id, WorklistEntryRow.reader_id, WorklistEntryRow.kind
        ).where(
            WorklistEntryRow.round == 1,
            WorklistEntryRow.kind.in_([EntryKind.READING, EntryKind.GOLD]),
        )
        rows = self._session.execute(query.order_by(WorklistEntryRow.id))
        return {(image_id, reader_id): EntryKind(kind) for image_id, reader_id, kind in rows}

    def state(self) -> tuple[int, int, int]:
        """Return what changes with every reading and every answer.

        Returns
        -------
        tuple of int
            The newest revision of a reading, the newest answer, and the sum of the keys of the
            current answers.
        """
        current = func.sum(ConsensusRow.id).filter(ConsensusRow.is_current)
        newest, total = self._session.execute(select(func.max(ConsensusRow.id), current)).one()
        reading = self._session.scalar(select(func.max(ReadingRow.id)))
        return reading or 0, newest or 0, int(total or 0)
