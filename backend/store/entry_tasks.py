"""What is known of the tasks of worklist entries: which, how new, lost or not."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from backend.domain.worklists import EntryState, WorklistEntry
from backend.store.tables import ReadingRow, WorklistEntryRow
from backend.store.worklist_rows import worklist_entry

_IS_QUARANTINED = (
    select(ReadingRow.id)
    .where(
        ReadingRow.image_id == WorklistEntryRow.image_id,
        ReadingRow.reader_id == WorklistEntryRow.reader_id,
        ReadingRow.round == WorklistEntryRow.round,
        ReadingRow.is_current,
        ReadingRow.state == "quarantined",
    )
    .exists()
)


@dataclass(frozen=True, slots=True)
class KnownTask:
    """What the store knows of the task of an entry.

    Attributes
    ----------
    entry_id : int
        The entry.
    image_id : str
        What it shows.
    state : EntryState
        How far the entry has come.
    task_id : int or None
        Label Studio's key; None before the push, or when the task is gone.
    updated_at : datetime or None
        How new the newest known state is, by Label Studio's clock; None before the first.
    is_lost : bool
        Whether Label Studio lost what was read in it.
    """

    entry_id: int
    image_id: str
    state: EntryState
    task_id: int | None
    updated_at: datetime | None
    is_lost: bool


class EntryTasks:
    """The tasks of the worklist entries kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def take_over(self, task_id: int, entry_id: int) -> None:
        """Part every other entry from a task.

        Parameters
        ----------
        task_id : int
            Label Studio's key.
        entry_id : int
            The entry that it shows.
        """
        # Label Studio gives a key a second time only when it was restored from a backup.
        self._session.execute(
            update(WorklistEntryRow)
            .where(WorklistEntryRow.task_id == task_id, WorklistEntryRow.id != entry_id)
            .values(task_id=None)
        )

    def set_lost(self, entry_id: int, at: datetime | None) -> None:
        """Remember that Label Studio lost what was read, or that it was read again.

        Parameters
        ----------
        entry_id : int
            The entry.
        at : datetime or None
            When that was noticed; aware. None when it is over.
        """
        self._session.execute(
            update(WorklistEntryRow).where(WorklistEntryRow.id == entry_id).values(lost_at=at)
        )

    def known_task(self, entry_id: int) -> KnownTask | None:
        """Return what is known of the task of one entry.

        Parameters
        ----------
        entry_id : int
            The entry.

        Returns
        -------
        KnownTask or None
            None when there is no such entry.
        """
        return next(iter(self._known_tasks(WorklistEntryRow.id == entry_id)), None)

    def known_tasks(self, reader_id: str) -> list[KnownTask]:
        """Return what is known of the tasks of a reader.

        Parameters
        ----------
        reader_id : str
            Whose.

        Returns
        -------
        list of KnownTask
            One per entry, by entry; also of entries without a task.
        """
        return self._known_tasks(WorklistEntryRow.reader_id == reader_id)

    def _known_tasks(self, which: ColumnElement[bool]) -> list[KnownTask]:
        query = (
            select(
                WorklistEntryRow.id,
                WorklistEntryRow.image_id,
                WorklistEntryRow.state,
                WorklistEntryRow.task_id,
                WorklistEntryRow.task_updated_at,
                WorklistEntryRow.lost_at,
            )
            .where(which)
            .order_by(WorklistEntryRow.id)
        )
        return [
            KnownTask(key, image_id, EntryState(state), task_id, updated_at, lost_at is not None)
            for key, image_id, state, task_id, updated_at, lost_at in self._session.execute(query)
        ]

    def with_link_expiring(self, reader_id: str, before: datetime) -> list[WorklistEntry]:
        """Return the entries that may still be opened and whose task needs a fresh image link.

        These are the open ones, and those to which the reader's page leads back: the skipped
        ones and those whose reading is in quarantine.

        Parameters
        ----------
        reader_id : str
            Of whom.
        before : datetime
            Links that expire earlier than this, or nobody knows when; aware.

        Returns
        -------
        list of WorklistEntry
            By rank.
        """
        query = (
            select(WorklistEntryRow)
            .where(
                WorklistEntryRow.reader_id == reader_id,
                or_(
                    WorklistEntryRow.state.in_([EntryState.OPEN, EntryState.SKIPPED]),
                    and_(WorklistEntryRow.state == EntryState.READ, _IS_QUARANTINED),
                ),
                WorklistEntryRow.task_id.is_not(None),
                or_(
                    WorklistEntryRow.link_expires_at.is_(None),
                    WorklistEntryRow.link_expires_at < before,
                ),
            )
            .order_by(WorklistEntryRow.rank)
        )
        return [worklist_entry(row) for row in self._session.scalars(query)]

    def count_tasks(self, reader_id: str) -> int:
        """Return how many entries of a reader have a task.

        Parameters
        ----------
        reader_id : str
            Whose.

        Returns
        -------
        int
            In any state.
        """
        query = select(func.count(WorklistEntryRow.task_id)).where(
            WorklistEntryRow.reader_id == reader_id
        )
        return self._session.scalar(query) or 0

    def still_served(self, reader_id: str) -> list[WorklistEntry]:
        """Return the entries that were withdrawn while their task may still be served.

        Parameters
        ----------
        reader_id : str
            Of whom.

        Returns
        -------
        list of WorklistEntry
            By rank.
        """
        query = (
            select(WorklistEntryRow)
            .where(
                WorklistEntryRow.reader_id == reader_id,
                WorklistEntryRow.state == EntryState.WITHDRAWN,
                WorklistEntryRow.task_id.is_not(None),
                WorklistEntryRow.stopped_at.is_(None),
            )
            .order_by(WorklistEntryRow.rank)
        )
        return [worklist_entry(row) for row in self._session.scalars(query)]

    def set_stopped(self, entry_ids: Collection[int], at: datetime) -> None:
        """Remember that tasks are served no more; another state of their entry ends that.

        Parameters
        ----------
        entry_ids : collection of int
            Which entries; only those still withdrawn are meant.
        at : datetime
            When; aware.
        """
        for entry_id in entry_ids:
            self._session.execute(
                update(WorklistEntryRow)
                .where(
                    WorklistEntryRow.id == entry_id,
                    WorklistEntryRow.state == EntryState.WITHDRAWN,
                )
                .values(stopped_at=at)
            )
