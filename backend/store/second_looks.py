"""Find readings that are, or could be, looked at once more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from backend.domain.readings import Reading, ReadingKind
from backend.domain.worklists import EntryKind, EntryState, WorklistEntry
from backend.store.membership import is_among
from backend.store.reading_rows import KeptReading, load_readings
from backend.store.tables import ReadingRow, WorklistEntryRow

_IS_VALID = (ReadingRow.is_current, ReadingRow.state == "valid")
_IS_SECOND_LOOK = WorklistEntryRow.kind == EntryKind.SECOND_LOOK


class LostReadingError(RuntimeError):
    """A second look names a reading that is not kept."""


@dataclass(frozen=True, slots=True)
class LookedAgain:
    """A reading, and what its reader said on looking once more.

    Attributes
    ----------
    first : Reading
        The blind reading, in the revision that was looked at once more.
    second : Reading
        The second look, as it now stands.
    """

    first: Reading
    second: Reading


class SecondLooks:
    """The second looks kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def candidates(self, until: datetime) -> list[KeptReading]:
        """Return the valid readings from Label Studio that were never looked at once more.

        Parameters
        ----------
        until : datetime
            Not those of which anything arrived later than this; aware, by our own clock.

        Returns
        -------
        list of KeptReading
            Each reader's last round, by image and reader.
        """
        was_asked = exists().where(
            _IS_SECOND_LOOK,
            WorklistEntryRow.image_id == ReadingRow.image_id,
            WorklistEntryRow.reader_id == ReadingRow.reader_id,
        )
        query = (
            select(ReadingRow)
            .where(*_IS_VALID, ReadingRow.kind == ReadingKind.READING, ~was_asked)
            .order_by(ReadingRow.image_id, ReadingRow.reader_id, ReadingRow.round)
        )
        kept = load_readings(self._session, query)
        last = {(one.reading.image_id, one.reading.reader_id): one for one in kept}
        return [
            one
            for one in last.values()
            if one.receipt.annotation_id is not None and one.receipt.received_at <= until
        ]

    def first_of(self, entry: WorklistEntry) -> Reading:
        """Return the reading that an entry asks to look at once more.

        Parameters
        ----------
        entry : WorklistEntry
            A second look.

        Returns
        -------
        Reading
            In the revision in which it stood then.

        Raises
        ------
        LostReadingError
            If the entry is no second look.
        """
        query = select(ReadingRow).where(ReadingRow.id == entry.reading_id)
        for kept in load_readings(self._session, query):
            return kept.reading
        raise LostReadingError(
            f"expected entry {entry.id} to be a second look at a kept reading, got {entry.kind}"
        )

    def done(self, image_ids: Iterable[str] | None = None) -> list[LookedAgain]:
        """Return the second looks that were done and still stand.

        Parameters
        ----------
        image_ids : iterable of str or None
            Of which images; None for all.

        Returns
        -------
        list of LookedAgain
            By image and reader.
        """
        second = aliased(ReadingRow)
        pairs = (
            select(WorklistEntryRow.reading_id, second.id.label("second_id"))
            .join(
                second,
                (second.image_id == WorklistEntryRow.image_id)
                & (second.reader_id == WorklistEntryRow.reader_id)
                & (second.round == WorklistEntryRow.round),
            )
            .where(
                _IS_SECOND_LOOK,
                second.kind == ReadingKind.SECOND_LOOK,
                second.is_current,
                second.state == "valid",
            )
            .order_by(WorklistEntryRow.image_id, WorklistEntryRow.reader_id)
        )
        if image_ids is not None:
            pairs = pairs.where(is_among(WorklistEntryRow.image_id, image_ids))
        found = [(row.reading_id, row.second_id) for row in self._session.execute(pairs)]
        both = pairs.order_by(None)
        wanted = select(ReadingRow).where(
            ReadingRow.id.in_(both.with_only_columns(WorklistEntryRow.reading_id))
            | ReadingRow.id.in_(both.with_only_columns(second.id))
        )
        kept = {one.reading.id: one.reading for one in load_readings(self._session, wanted)}
        return [LookedAgain(kept[first], kept[again]) for first, again in found]


class _Revision(NamedTuple):
    id: int
    state: str
    read_at: datetime


def blind_revisions(
    session: Session,
    read_at: Mapping[tuple[str, str], datetime],
    image_ids: Iterable[str] | None,
) -> dict[tuple[str, str], int | None]:
    """Return what counts instead where a reading was changed with open eyes.

    A reader who was shown a second look may go back and change the first reading instead. That is
    kept as a revision, and is no blind reading any more.

    Parameters
    ----------
    session : Session
        The transaction to read in.
    read_at : mapping of (str, str) to datetime
        When the newest revision was made, by image and reader.
    image_ids : iterable of str or None
        Of which images; None for all.

    Returns
    -------
    dict of (str, str) to int or None
        Key of the newest valid revision that is blind, by image and reader; None if its reader
        took it back afterwards. Only where the newest revision is not blind.

    Notes
    -----
    Blind is the revision that the second look asks about with all before it, and what was made
    before the second look could be seen: before its task existed. Both moments are Label
    Studio's, so its clock and ours need not agree. A second look that was withdrawn and never
    answered was not seen.
    """
    answer = aliased(ReadingRow)
    was_answered = exists().where(
        answer.kind == ReadingKind.SECOND_LOOK,
        answer.image_id == WorklistEntryRow.image_id,
        answer.reader_id == WorklistEntryRow.reader_id,
        answer.round == WorklistEntryRow.round,
    )
    query = select(
        WorklistEntryRow.image_id,
        WorklistEntryRow.reader_id,
        WorklistEntryRow.round,
        WorklistEntryRow.reading_id,
        WorklistEntryRow.shown_from,
    ).where(
        _IS_SECOND_LOOK,
        WorklistEntryRow.shown_from.is_not(None),
        (WorklistEntryRow.state != EntryState.WITHDRAWN) | was_answered,
    )
    if image_ids is not None:
        query = query.where(is_among(WorklistEntryRow.image_id, image_ids))
    seen = {
        (row.image_id, row.reader_id): row
        for row in session.execute(query)
        if (moment := read_at.get((row.image_id, row.reader_id))) is not None
        and moment > row.shown_from
    }
    revisions = _revisions(session, seen) if seen else {}
    return {
        key: _newest_blind(revisions[*key, row.round - 1], row.reading_id, row.shown_from)
        for key, row in seen.items()
    }


def _revisions(
    session: Session, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str, int], list[_Revision]]:
    columns = ReadingRow.image_id, ReadingRow.reader_id, ReadingRow.round
    query = (
        select(*columns, ReadingRow.id, ReadingRow.state, ReadingRow.read_at)
        .where(is_among(ReadingRow.image_id, {image_id for image_id, _ in keys}))
        .order_by(*columns, ReadingRow.revision)
    )
    found: dict[tuple[str, str, int], list[_Revision]] = {}
    for row in session.execute(query):
        revision = _Revision(row.id, row.state, row.read_at)
        found.setdefault((row.image_id, row.reader_id, row.round), []).append(revision)
    return found


def _newest_blind(
    revisions: Iterable[_Revision], looked_at: int, shown_from: datetime
) -> int | None:
    newest = None
    for one in revisions:
        is_blind = one.id <= looked_at or one.read_at <= shown_from
        if one.state == "withdrawn":
            newest = None
        elif one.state == "valid" and is_blind:
            newest = one.id
    return newest
