"""Save and find readings, revision by revision."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.orm import Session

from backend.domain.readings import Reading
from backend.store.membership import is_among
from backend.store.reading_rows import (
    KeptReading,
    Receipt,
    box_columns,
    kept_reading,
    reading_columns,
)
from backend.store.tables import ReadBoxRow, ReadingRow

__all__ = ["KeptReading", "Readings", "Receipt"]

_IS_VALID = (ReadingRow.is_current, ReadingRow.state == "valid")


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
        connection = self._session.connection()  # many rows: several times faster than as objects
        ids = connection.scalars(
            insert(ReadingRow).returning(ReadingRow.id, sort_by_parameter_order=True),
            [reading_columns(reading, receipt) for reading in readings],
        ).all()
        boxes = [
            box_columns(box, reading_id)
            for reading_id, reading in zip(ids, readings, strict=True)
            for box in (*reading.boxes, *reading.deleted)
        ]
        if boxes:
            connection.execute(insert(ReadBoxRow), boxes)

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
            .where(*_IS_VALID)
            .order_by(ReadingRow.image_id, ReadingRow.reader_id, ReadingRow.round)
        )
        if image_ids is not None:
            query = query.where(is_among(ReadingRow.image_id, image_ids))
        return [kept.reading for kept in self._load(query)]

    def counting(self, image_ids: Iterable[str] | None = None) -> list[Reading]:
        """Return the readings that a consensus is made of: each reader's last valid round.

        Parameters
        ----------
        image_ids : iterable of str or None
            Of which images; None for all.

        Returns
        -------
        list of Reading
            One per image and reader, in this order.
        """
        last = {(one.image_id, one.reader_id): one for one in self.valid(image_ids)}
        return list(last.values())

    def counting_ids(self, image_ids: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """Return the keys of the readings that a consensus is made of.

        Parameters
        ----------
        image_ids : iterable of str
            Of which images.

        Returns
        -------
        dict of str to tuple of int
            Image id to the keys of `counting`, rising; images without one are missing.
        """
        query = (
            select(ReadingRow.image_id, ReadingRow.reader_id, ReadingRow.id)
            .where(*_IS_VALID, is_among(ReadingRow.image_id, image_ids))
            .order_by(ReadingRow.round)
        )
        rows = self._session.execute(query)
        last = {(image_id, reader_id): key for image_id, reader_id, key in rows}
        found: dict[str, list[int]] = {}
        for (image_id, _), key in last.items():
            found.setdefault(image_id, []).append(key)
        return {image_id: tuple(sorted(keys)) for image_id, keys in found.items()}

    def first_round(self, image_ids: Iterable[str]) -> dict[tuple[str, str], KeptReading]:
        """Return the current first readings of images, valid or not.

        Parameters
        ----------
        image_ids : iterable of str
            Of which images.

        Returns
        -------
        dict of (str, str) to KeptReading
            By image and reader.
        """
        query = select(ReadingRow).where(
            ReadingRow.is_current, ReadingRow.round == 1, is_among(ReadingRow.image_id, image_ids)
        )
        return {
            (kept.reading.image_id, kept.reading.reader_id): kept for kept in self._load(query)
        }

    def counts(self, reader_id: str | None = None) -> dict[str, int]:
        """Return how many current readings there are in each state.

        Parameters
        ----------
        reader_id : str or None
            Of whom; None for everybody.

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
        if reader_id is not None:
            query = query.where(ReadingRow.reader_id == reader_id)
        found = dict(self._session.execute(query).all())
        return {state: found.get(state, 0) for state in ("valid", "quarantined", "withdrawn")}

    def _load(self, query: Select[ReadingRow]) -> list[KeptReading]:
        connection = self._session.connection()  # plain rows, not objects: there may be many
        rows = connection.execute(query).all()
        boxes: dict[int, list[Row[Any]]] = {row.id: [] for row in rows}
        chosen = query.with_only_columns(ReadingRow.id).order_by(None)
        for box in connection.execute(
            select(ReadBoxRow).where(ReadBoxRow.reading_id.in_(chosen)).order_by(ReadBoxRow.id)
        ):
            boxes[box.reading_id].append(box)
        return [kept_reading(row, boxes[row.id]) for row in rows]
