"""Save and find readings, revision by revision."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.orm import Session

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.readings import Arm, Certainty, Origin, ReadBox, Reading
from backend.store.tables import ReadBoxRow, ReadingRow


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a reading came in.

    Attributes
    ----------
    received_at : datetime
        When the store got it; aware.
    annotation_id : int or None
        Annotation in Label Studio; None for imported readings.
    annotation_updated_at : datetime or None
        When Label Studio last changed it.
    state : str
        "valid", "quarantined" (kept, not used) or "withdrawn" (deleted by the reader).
    reason : str or None
        Why it is not valid.
    """

    received_at: datetime
    annotation_id: int | None = None
    annotation_updated_at: datetime | None = None
    state: str = "valid"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class KeptReading:
    """A reading with its receipt.

    Attributes
    ----------
    reading : Reading
        What the reader marked.
    receipt : Receipt
        How it came in.
    """

    reading: Reading
    receipt: Receipt


class Readings:
    """The readings kept in the store; a revision is never changed or removed.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, readings: Sequence[Reading], receipt: Receipt) -> None:
        """Add first readings, many at once.

        Parameters
        ----------
        readings : sequence of Reading
            One per image, reader and round; a second one violates a constraint.
        receipt : Receipt
            How they all came in.
        """
        if not readings:
            return
        ids = self._session.scalars(
            insert(ReadingRow).returning(ReadingRow.id, sort_by_parameter_order=True),
            [_columns(reading, receipt) for reading in readings],
        ).all()
        boxes = [
            _box_columns(box, reading_id)
            for reading_id, reading in zip(ids, readings, strict=True)
            for box in (*reading.boxes, *reading.deleted)
        ]
        if boxes:
            self._session.execute(insert(ReadBoxRow), boxes)

    def revise(self, reading: Reading, receipt: Receipt) -> int:
        """Add a reading as the newest revision of its image, reader and round.

        Parameters
        ----------
        reading : Reading
            The new answer; its `revision` is ignored.
        receipt : Receipt
            How it came in.

        Returns
        -------
        int
            The revision that it became, from 1.
        """
        same = (
            ReadingRow.image_id == reading.image_id,
            ReadingRow.reader_id == reading.reader_id,
            ReadingRow.round == reading.round,
        )
        newest = self._session.scalar(select(func.max(ReadingRow.revision)).where(*same)) or 0
        self._session.execute(
            update(ReadingRow).where(*same, ReadingRow.is_current).values(is_current=False)
        )
        self.add([replace(reading, revision=newest + 1)], receipt)
        return newest + 1

    def current(self, image_id: str, reader_id: str, reading_round: int = 1) -> KeptReading | None:
        """Return the newest revision of one reading, valid or not.

        Parameters
        ----------
        image_id, reader_id : str
            Which image, read by whom.
        reading_round : int
            Which round, from 1.

        Returns
        -------
        KeptReading or None
            None when there is none.
        """
        query = select(ReadingRow).where(
            ReadingRow.image_id == image_id,
            ReadingRow.reader_id == reader_id,
            ReadingRow.round == reading_round,
            ReadingRow.is_current,
        )
        return next(iter(self._load(query)), None)

    def revisions(self, image_id: str, reader_id: str) -> list[KeptReading]:
        """Return every revision of one reader's readings of an image.

        Parameters
        ----------
        image_id, reader_id : str
            Which image, read by whom.

        Returns
        -------
        list of KeptReading
            Oldest first.
        """
        query = (
            select(ReadingRow)
            .where(ReadingRow.image_id == image_id, ReadingRow.reader_id == reader_id)
            .order_by(ReadingRow.round, ReadingRow.revision)
        )
        return self._load(query)

    def valid(self, image_ids: Iterable[str] | None = None) -> list[Reading]:
        """Return the readings that count: current, not quarantined, not withdrawn.

        Parameters
        ----------
        image_ids : iterable of str or None
            Of which images; None for all.

        Returns
        -------
        list of Reading
            By image, reader and round.
        """
        query = (
            select(ReadingRow)
            .where(ReadingRow.is_current, ReadingRow.state == "valid")
            .order_by(ReadingRow.image_id, ReadingRow.reader_id, ReadingRow.round)
        )
        if image_ids is not None:
            query = query.where(ReadingRow.image_id.in_(sorted(set(image_ids))))
        return [kept.reading for kept in self._load(query)]

    def annotated(self, reader_id: str) -> list[KeptReading]:
        """Return a reader's current readings that came from Label Studio and still stand.

        Parameters
        ----------
        reader_id : str
            Whose.

        Returns
        -------
        list of KeptReading
            Valid or quarantined; by image.
        """
        query = (
            select(ReadingRow)
            .where(
                ReadingRow.reader_id == reader_id,
                ReadingRow.is_current,
                ReadingRow.annotation_id.is_not(None),
                ReadingRow.state != "withdrawn",
            )
            .order_by(ReadingRow.image_id)
        )
        return self._load(query)

    def counts(self) -> dict[str, int]:
        """Return how many current readings there are in each state.

        Returns
        -------
        dict of str to int
            "valid", "quarantined" and "withdrawn".
        """
        query = (
            select(ReadingRow.state, func.count())
            .where(ReadingRow.is_current)
            .group_by(ReadingRow.state)
        )
        found = dict(self._session.execute(query).tuples().all())
        return {state: found.get(state, 0) for state in ("valid", "quarantined", "withdrawn")}

    def _load(self, query: Select[ReadingRow]) -> list[KeptReading]:
        rows = self._session.scalars(query).all()
        boxes: dict[int, list[ReadBoxRow]] = {row.id: [] for row in rows}
        chosen = query.with_only_columns(ReadingRow.id).order_by(None)
        for box in self._session.scalars(
            select(ReadBoxRow).where(ReadBoxRow.reading_id.in_(chosen)).order_by(ReadBoxRow.id)
        ):
            boxes[box.reading_id].append(box)
        return [_kept(row, boxes[row.id]) for row in rows]


def _columns(reading: Reading, receipt: Receipt) -> dict[str, object]:
    return {
        "image_id": reading.image_id,
        "reader_id": reading.reader_id,
        "round": reading.round,
        "revision": reading.revision,
        "is_current": True,
        "state": receipt.state,
        "reason": receipt.reason,
        "no_finding": reading.is_no_finding,
        "arm": reading.arm,
        "model_version": reading.model_version,
        "lead_time_seconds": reading.lead_time_seconds,
        "annotation_id": receipt.annotation_id,
        "annotation_updated_at": receipt.annotation_updated_at,
        "read_at": reading.read_at,
        "received_at": receipt.received_at,
    }


def _box_columns(box: ReadBox, reading_id: int) -> dict[str, object]:
    return {
        "reading_id": reading_id,
        "finding": int(box.finding),
        **box.box._asdict(),
        "origin": box.origin,
        "certainty": box.certainty,
        "predicted_box_id": box.predicted_box_id,
    }


def _kept(row: ReadingRow, boxes: Sequence[ReadBoxRow]) -> KeptReading:
    read = [_read_box(box) for box in boxes]
    return KeptReading(
        reading=Reading(
            image_id=row.image_id,
            reader_id=row.reader_id,
            boxes=tuple(box for box in read if box.origin is not Origin.DELETED),
            deleted=tuple(box for box in read if box.origin is Origin.DELETED),
            read_at=row.read_at,
            round=row.round,
            arm=Arm(row.arm),
            model_version=row.model_version,
            lead_time_seconds=row.lead_time_seconds,
            id=row.id,
            revision=row.revision,
        ),
        receipt=Receipt(
            received_at=row.received_at,
            annotation_id=row.annotation_id,
            annotation_updated_at=row.annotation_updated_at,
            state=row.state,
            reason=row.reason,
        ),
    )


def _read_box(row: ReadBoxRow) -> ReadBox:
    return ReadBox(
        finding=Finding(row.finding),
        box=Box(row.x_min, row.y_min, row.x_max, row.y_max),
        certainty=None if row.certainty is None else Certainty(row.certainty),
        origin=Origin(row.origin),
        predicted_box_id=row.predicted_box_id,
        id=row.id,
    )
