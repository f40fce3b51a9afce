"""Save and find readings, revision by revision."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.orm import Session

from backend.domain.readings import Reading, ReadingKind
from backend.store.membership import is_among
from backend.store.reading_rows import (
    KeptReading,
    Receipt,
    box_columns,
    load_readings,
    reading_columns,
)
from backend.store.second_looks import blind_revisions
from backend.store.tables import ReadBoxRow, ReadingRow

__all__ = ["KeptReading", "Readings", "Receipt"]

_IS_VALID = (ReadingRow.is_current, ReadingRow.state == "valid")
_IS_READING = ReadingRow.kind == ReadingKind.READING


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

    def revisions(self, image_id: str, reader_id: str | None = None) -> list[KeptReading]:
        """Return every revision of the readings of an image, valid or not.

        Parameters
        ----------
        image_id : str
            Which image.
        reader_id : str or None
            Read by whom; None for everybody.

        Returns
        -------
        list of KeptReading
            By reader and round, oldest first.
        """
        query = (
            select(ReadingRow)
            .where(ReadingRow.image_id == image_id)
            .order_by(ReadingRow.reader_id, ReadingRow.round, ReadingRow.revision)
        )
        if reader_id is not None:
            query = query.where(ReadingRow.reader_id == reader_id)
        return self._load(query)

    def lead_times(self, reader_id: str) -> list[float]:
        """Return how long a reader had images open, as far as it is known.

        Parameters
        ----------
        reader_id : str
            The reader.

        Returns
        -------
        list of float, [s]
            Of the first readings that stand, oldest first, idle time included; second looks are
            quicker and would say nothing of reading.
        """
        query = (
            select(ReadingRow.lead_time_seconds)
            .where(
                ReadingRow.reader_id == reader_id,
                _IS_READING,
                ReadingRow.is_current,
                ReadingRow.state != "withdrawn",
                ReadingRow.lead_time_seconds.is_not(None),
            )
            .order_by(ReadingRow.read_at, ReadingRow.id)
        )
        return [float(seconds) for seconds in self._session.scalars(query) if seconds is not None]

    def valid(self, image_ids: Iterable[str] | None = None) -> list[Reading]:
        """Return what stands: current, not quarantined, not withdrawn; second looks as well.

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

        Second looks are left out, because they are not blind. For the same reason a reading that
        its reader changed after a second look could be seen counts as it stood before, and not at
        all if it was deleted since (`blind_revisions`).

        Parameters
        ----------
        image_ids : iterable of str or None
            Of which images; None for all.

        Returns
        -------
        list of Reading
            One per image and reader, in this order.
        """
        wanted = None if image_ids is None else list(image_ids)
        valid = [one for one in self.valid(wanted) if one.kind is ReadingKind.READING]
        last = {(one.image_id, one.reader_id): one for one in valid}
        before = blind_revisions(
            self._session, {key: one.read_at for key, one in last.items()}, wanted
        )
        if before:
            query = select(ReadingRow).where(ReadingRow.id.in_(before.values()))
            blind = {kept.reading.id: kept.reading for kept in self._load(query)}
            last = {key: one for key, one in last.items() if before.get(key, 0) is not None}
            last |= {key: blind[kept] for key, kept in before.items() if kept is not None}
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
        wanted = list(image_ids)
        query = (
            select(ReadingRow.image_id, ReadingRow.reader_id, ReadingRow.id, ReadingRow.read_at)
            .where(*_IS_VALID, _IS_READING, is_among(ReadingRow.image_id, wanted))
            .order_by(ReadingRow.round)
        )
        rows = self._session.execute(query).all()
        last = {(row.image_id, row.reader_id): row.id for row in rows}
        read_at = {(row.image_id, row.reader_id): row.read_at for row in rows}
        found: dict[str, list[int]] = {}
        blind = blind_revisions(self._session, read_at, wanted)
        for (image_id, _), key in (last | blind).items():
            if key is not None:
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

    def counts(
        self, reader_id: str | None = None, *, also_second_looks: bool = False
    ) -> dict[str, int]:
        """Return how many current readings there are in each state.

        Parameters
        ----------
        reader_id : str or None
            Of whom; None for everybody.
        also_second_looks : bool
            Whether second looks are counted, too.

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
        if not also_second_looks:
            query = query.where(_IS_READING)
        if reader_id is not None:
            query = query.where(ReadingRow.reader_id == reader_id)
        found = dict(self._session.execute(query).all())
        return {state: found.get(state, 0) for state in ("valid", "quarantined", "withdrawn")}

    def _load(self, query: Select[ReadingRow]) -> list[KeptReading]:
        return load_readings(self._session, query)
