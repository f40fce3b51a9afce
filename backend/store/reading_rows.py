"""Readings with their receipts, and the rows that hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.readings import Arm, Certainty, Origin, ReadBox, Reading, ReadingKind
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
    submitted : tuple or None
        What Label Studio sent, when it could not be understood; None otherwise.
    """

    received_at: datetime
    annotation_id: int | None = None
    annotation_updated_at: datetime | None = None
    state: str = "valid"
    reason: str | None = None
    submitted: tuple[Any, ...] | None = None


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


def reading_columns(reading: Reading, receipt: Receipt) -> dict[str, object]:
    """Return the columns of a reading.

    Parameters
    ----------
    reading : Reading
        What the reader marked.
    receipt : Receipt
        How it came in.

    Returns
    -------
    dict
        For an insert.
    """
    return {
        "image_id": reading.image_id,
        "reader_id": reading.reader_id,
        "round": reading.round,
        "kind": reading.kind,
        "revision": reading.revision,
        "is_current": True,
        "state": receipt.state,
        "reason": receipt.reason,
        "no_finding": reading.is_no_finding and receipt.submitted is None,
        "arm": reading.arm,
        "model_version": reading.model_version,
        "lead_time_seconds": reading.lead_time_seconds,
        "annotation_id": receipt.annotation_id,
        "annotation_updated_at": receipt.annotation_updated_at,
        "submitted": None if receipt.submitted is None else list(receipt.submitted),
        "read_at": reading.read_at,
        "received_at": receipt.received_at,
        "note": reading.note,
    }


def box_columns(box: ReadBox, reading_id: int) -> dict[str, object]:
    """Return the columns of one box of a reading.

    Parameters
    ----------
    box : ReadBox
        The box.
    reading_id : int
        Key of its reading.

    Returns
    -------
    dict
        For an insert.
    """
    return {
        "reading_id": reading_id,
        "finding": int(box.finding),
        **box.box._asdict(),
        "origin": box.origin,
        "certainty": box.certainty,
        "predicted_box_id": box.predicted_box_id,
        "own_box_id": box.own_box_id,
    }


def load_readings(session: Session, query: Select[ReadingRow]) -> list[KeptReading]:
    """Return readings with their boxes.

    Parameters
    ----------
    session : Session
        The transaction to read in.
    query : Select
        Which, and in which order.

    Returns
    -------
    list of KeptReading
        In the query's order.
    """
    connection = session.connection()  # plain rows, not objects: there may be many
    rows = connection.execute(query).all()
    boxes: dict[int, list[Row[Any]]] = {row.id: [] for row in rows}
    chosen = query.with_only_columns(ReadingRow.id).order_by(None)
    for box in connection.execute(
        select(ReadBoxRow).where(ReadBoxRow.reading_id.in_(chosen)).order_by(ReadBoxRow.id)
    ):
        boxes[box.reading_id].append(box)
    return [kept_reading(row, boxes[row.id]) for row in rows]


def kept_reading(row: Row[Any], boxes: Sequence[Row[Any]]) -> KeptReading:
    """Return a reading from its rows.

    Parameters
    ----------
    row : Row
        The reading.
    boxes : sequence of Row
        Its boxes, in their order.

    Returns
    -------
    KeptReading
        The reading with its receipt.
    """
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
            kind=ReadingKind(row.kind),
            id=row.id,
            revision=row.revision,
            note=row.note,
        ),
        receipt=Receipt(
            received_at=row.received_at,
            annotation_id=row.annotation_id,
            annotation_updated_at=row.annotation_updated_at,
            state=row.state,
            reason=row.reason,
            submitted=None if row.submitted is None else tuple(row.submitted),
        ),
    )


def _read_box(row: Row[Any]) -> ReadBox:
    return ReadBox(
        finding=Finding(row.finding),
        box=Box(row.x_min, row.y_min, row.x_max, row.y_max),
        certainty=None if row.certainty is None else Certainty(row.certainty),
        origin=Origin(row.origin),
        predicted_box_id=row.predicted_box_id,
        own_box_id=row.own_box_id,
        id=row.id,
    )
