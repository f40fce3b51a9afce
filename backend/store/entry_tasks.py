"""What is known of the tasks of worklist entries: which, how new, lost or not."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from backend.domain.worklists import EntryState, WorklistEntry
from backend.store.tables import WorklistEntryRow
from backend.store.worklist_rows import worklist_entry


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

    def record_tasks(self, tasks: Iterable[tuple[int, int]], *, link_expires_at: datetime) -> None:
        """Remember which task shows which entry.

        Parameters
        ----------
        tasks : iterable of (int, int)
            Entry key and Label Studio task id.
        link_expires_at : datetime
            How long the image link in the tasks is good; aware.
        """
        for entry_id, task_id in tasks:
            self.take_over(task_id, entry_id)
            self._session.execute(
                update(WorklistEntryRow)
                .where(WorklistEntryRow.id == entry_id)
                .values(task_id=task_id, link_expires_at=link_expires_at)
            )

    def follow_task(self, entry_id: int, task_id: int | None, *, updated_at: datetime) -> None:
        """Remember up to which state an entry's task is known.

        Parameters
        ----------
        entry_id : int
            The entry.
        task_id : int or None
            The task that counts from now on; None when the entry's task is not recorded yet.
        updated_at : datetime
            How new its state is, by Label Studio's clock; aware.
        """
        if task_id is not None:
            self.take_over(task_id, entry_id)
        self._session.execute(
            update(WorklistEntryRow)
            .where(WorklistEntryRow.id == entry_id)
            .values(task_id=task_id, task_updated_at=updated_at)
        )

    def forget_task(self, entry_id: int) -> None:
        """Forget the task of an entry, because it no longer exists in Label Studio.

        Parameters
        ----------
        entry_id : int
            The entry; it is pushed again as long as it is open.
        """
        self._session.execute(
            update(WorklistEntryRow).where(WorklistEntryRow.id == entry_id).values(task_id=None)
        )

    def forget_tasks_of(self, reader_id: str) -> None:
        """Forget every task of a reader, because the project is another one now.

        Parameters
        ----------
        reader_id : str
            Whose; open entries are pushed again.
        """
        self._session.execute(
            update(WorklistEntryRow)
            .where(WorklistEntryRow.reader_id == reader_id)
            .values(task_id=None, task_updated_at=None, link_expires_at=None, lost_at=None)
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

    def set_shown_from(self, entry_id: int, moment: datetime) -> None:
        """Remember since when a reader can see what an entry shows.

        Parameters
        ----------
        entry_id : int
            The entry.
        moment : datetime
            When its task was made, by Label Studio's clock; aware. When the task is made again,
            the first moment stays.
        """
        self._session.execute(
            update(WorklistEntryRow)
            .where(WorklistEntryRow.id == entry_id, WorklistEntryRow.shown_from.is_(None))
            .values(shown_from=moment)
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
