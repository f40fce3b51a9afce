"""Save and find worklist entries."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from backend.domain.worklists import EntryState, Skip, WorklistEntry
from backend.store.entry_tasks import EntryTasks
from backend.store.tables import WorklistEntryRow
from backend.store.worklist_rows import worklist_entry


class Worklists(EntryTasks):
    """The worklist entries kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, entries: Sequence[WorklistEntry], *, now: datetime) -> None:
        """Add entries.

        Parameters
        ----------
        entries : sequence of WorklistEntry
            One per image, reader, round and kind; a second one violates a constraint.
        now : datetime
            The time; aware.
        """
        if entries:
            self._session.execute(
                insert(WorklistEntryRow),
                [
                    {
                        "image_id": entry.image_id,
                        "reader_id": entry.reader_id,
                        "round": entry.round,
                        "rank": entry.rank,
                        "score": entry.score,
                        "channel": entry.channel,
                        "reason": entry.reason,
                        "arm": entry.arm,
                        "arm_drawn": entry.arm_drawn,
                        "model_version": entry.model_version,
                        "kind": entry.kind,
                        "state": entry.state,
                        "reading_id": entry.reading_id,
                        "created_at": now,
                    }
                    for entry in entries
                ],
            )

    def all(
        self,
        *,
        reader_id: str | None = None,
        state: EntryState | None = None,
        image_id: str | None = None,
    ) -> list[WorklistEntry]:
        """Return entries.

        Parameters
        ----------
        reader_id : str or None
            Of whom; None for everybody.
        state : EntryState or None
            In which state; None for any.
        image_id : str or None
            Of which image; None for all.

        Returns
        -------
        list of WorklistEntry
            By rank, then reader.
        """
        query = select(WorklistEntryRow).order_by(
            WorklistEntryRow.rank, WorklistEntryRow.reader_id, WorklistEntryRow.id
        )
        if reader_id is not None:
            query = query.where(WorklistEntryRow.reader_id == reader_id)
        if state is not None:
            query = query.where(WorklistEntryRow.state == state)
        if image_id is not None:
            query = query.where(WorklistEntryRow.image_id == image_id)
        return [worklist_entry(row) for row in self._session.scalars(query)]

    def get(self, entry_id: int) -> WorklistEntry | None:
        """Return one entry.

        Parameters
        ----------
        entry_id : int
            Its key.

        Returns
        -------
        WorklistEntry or None
            None when there is none.
        """
        row = self._session.get(WorklistEntryRow, entry_id, populate_existing=True)
        return None if row is None else worklist_entry(row)

    def withdrawn_before(self, reader_id: str, before: datetime) -> list[WorklistEntry]:
        """Return the entries that were withdrawn and still have a task.

        Parameters
        ----------
        reader_id : str
            Of whom.
        before : datetime
            Withdrawn until then; aware.

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
                WorklistEntryRow.ended_at <= before,
            )
            .order_by(WorklistEntryRow.rank)
        )
        return [worklist_entry(row) for row in self._session.scalars(query)]

    def place(self, ranks: Mapping[int, int]) -> None:
        """Give entries other places in the queue.

        Parameters
        ----------
        ranks : mapping of int to int
            New rank by entry key.
        """
        for entry_id, rank in ranks.items():
            self._session.execute(
                update(WorklistEntryRow).where(WorklistEntryRow.id == entry_id).values(rank=rank)
            )

    def last_rank(self) -> int:
        """Return the highest rank that was ever given.

        Returns
        -------
        int
            0 when the queue was never filled.
        """
        return self._session.scalar(select(func.max(WorklistEntryRow.rank))) or 0

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

    def set_state(self, entry_id: int, state: EntryState, *, now: datetime) -> None:
        """Change how far an entry has come.

        Parameters
        ----------
        entry_id : int
            Which.
        state : EntryState
            Where it is now.
        now : datetime
            The time; aware.
        """
        ended_at = None if state is EntryState.OPEN else now
        self._session.execute(
            update(WorklistEntryRow)
            .where(WorklistEntryRow.id == entry_id)
            .values(state=state, ended_at=ended_at, stopped_at=None)
        )

    def set_skip(self, entry_id: int, skip: Skip | None) -> None:
        """Remember why an entry was skipped, or that it is not any more.

        Parameters
        ----------
        entry_id : int
            Which.
        skip : Skip or None
            None when it is not skipped.
        """
        said = skip or Skip()
        self._session.execute(
            update(WorklistEntryRow)
            .where(WorklistEntryRow.id == entry_id)
            .values(skip_reason=said.reason, skip_note=said.note)
        )

    def counts(self, reader_id: str | None = None) -> dict[EntryState, int]:
        """Return how many entries are in each state.

        Parameters
        ----------
        reader_id : str or None
            Of whom; None for everybody.

        Returns
        -------
        dict of EntryState to int
            Every state, also with 0.
        """
        query = select(WorklistEntryRow.state, func.count()).group_by(WorklistEntryRow.state)
        if reader_id is not None:
            query = query.where(WorklistEntryRow.reader_id == reader_id)
        found = dict(self._session.execute(query).all())
        return {state: found.get(state.value, 0) for state in EntryState}
