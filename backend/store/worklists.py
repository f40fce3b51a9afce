"""Save and find worklist entries."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, func, insert, or_, select, update
from sqlalchemy.orm import Session

from backend.domain.acquisition.batch import Choice
from backend.domain.worklists import EntryState, Skip, WorklistEntry
from backend.store.entry_tasks import EntryTasks
from backend.store.tables import ReadingRow, WorklistEntryRow
from backend.store.worklist_rows import entry_columns, worklist_entry

_ENDED = (
    "task_id",
    "task_updated_at",
    "link_expires_at",
    "lost_at",
    "ended_at",
    "stopped_at",
    "skip_reason",
    "skip_note",
)


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
                [{**entry_columns(entry), "created_at": now} for entry in entries],
            )

    def open_again(self, entries: Sequence[WorklistEntry], *, now: datetime) -> None:
        """Ask for withdrawn entries again, as if they were new.

        Parameters
        ----------
        entries : sequence of WorklistEntry
            With the keys of the withdrawn ones; a task that is still there is found by the push.
        now : datetime
            The time; aware.
        """
        fresh = dict.fromkeys(_ENDED)
        for entry in entries:
            self._session.execute(
                update(WorklistEntryRow)
                .where(WorklistEntryRow.id == entry.key)
                .values(**entry_columns(entry), **fresh, created_at=now)
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

    def explain(self, choices: Mapping[int, Choice]) -> None:
        """Say anew what entries are worth, and why they are asked for.

        Parameters
        ----------
        choices : mapping of int to Choice
            By entry key; the ranks in them are ignored.
        """
        for entry_id, choice in choices.items():
            self._session.execute(
                update(WorklistEntryRow)
                .where(WorklistEntryRow.id == entry_id)
                .values(
                    score=choice.score,
                    channel=choice.channel,
                    reason=choice.reason,
                    top_finding=choice.top_finding,
                    expected_seconds=choice.expected_seconds,
                )
            )

    def last_rank(self) -> int:
        """Return the highest rank that was ever given.

        Returns
        -------
        int
            0 when the queue was never filled.
        """
        return self._session.scalar(select(func.max(WorklistEntryRow.rank))) or 0

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
