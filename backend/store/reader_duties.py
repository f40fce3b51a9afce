"""What readers are preferred for, until when they are away, and when they last read."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from backend.domain.findings import Finding
from backend.domain.worklists import EntryState
from backend.store.tables import ReaderRow, WorklistEntryRow


@dataclass(frozen=True, slots=True)
class Duty:
    """What a reader reads, and whether.

    Attributes
    ----------
    specialities : frozenset of Finding
        Findings that the reader is preferred for; most readers have none.
    away_until : datetime or None
        The reader is given nothing before this; aware. Kept when it is over: what waited during
        an absence does not tell that its reader has stopped.
    """

    specialities: frozenset[Finding] = frozenset()
    away_until: datetime | None = None

    def is_away(self, now: datetime) -> bool:
        """Return whether the reader is away.

        Parameters
        ----------
        now : datetime
            The time; aware.

        Returns
        -------
        bool
            Whether nothing is to be given out.
        """
        return self.away_until is not None and now < self.away_until


class ReaderDuties:
    """The readers' duties kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> dict[str, Duty]:
        """Return every reader's duty.

        Returns
        -------
        dict of str to Duty
            By reader id.
        """
        query = select(ReaderRow.id, ReaderRow.specialities, ReaderRow.away_until)
        return {
            reader_id: Duty(
                frozenset(Finding(int(key)) for key in keys.split(",") if key), away_until
            )
            for reader_id, keys, away_until in self._session.execute(query.order_by(ReaderRow.id))
        }

    def set_specialities(self, reader_id: str, findings: Collection[Finding]) -> None:
        """Say what a reader is preferred for.

        Parameters
        ----------
        reader_id : str
            Who.
        findings : collection of Finding
            Nothing for no preference.
        """
        keys = ",".join(str(int(finding)) for finding in sorted(set(findings)))
        self._session.execute(
            update(ReaderRow).where(ReaderRow.id == reader_id).values(specialities=keys)
        )

    def set_away(self, reader_id: str, until: datetime) -> None:
        """Say until when a reader is away.

        Parameters
        ----------
        reader_id : str
            Who.
        until : datetime
            Aware.
        """
        self._session.execute(
            update(ReaderRow).where(ReaderRow.id == reader_id).values(away_until=until)
        )

    def last_active(self) -> dict[str, datetime]:
        """Return when readers last read or skipped what was on their worklists.

        Returns
        -------
        dict of str to datetime
            By reader id; those who never did are missing.
        """
        query = (
            select(WorklistEntryRow.reader_id, func.max(WorklistEntryRow.ended_at))
            .where(WorklistEntryRow.state.in_([EntryState.READ, EntryState.SKIPPED]))
            .group_by(WorklistEntryRow.reader_id)
        )
        return {reader_id: ended for reader_id, ended in self._session.execute(query) if ended}
