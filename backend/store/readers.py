"""Save and find readers and their Label Studio projects."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.store.tables import ReaderRow, ReadingProjectRow


class UnknownReaderError(LookupError):
    """No reader has this id."""


@dataclass(frozen=True, slots=True)
class ReaderProject:
    """A reader's own organisation and project in Label Studio.

    Attributes
    ----------
    reader_id : str
        Whose.
    email : str
        What the reader logs in with.
    organisation_id, project_id : int
        Keys in Label Studio.
    synced_until : datetime or None
        Changes up to here have been pulled, by Label Studio's clock; None before the first sync.
    user_id : int or None
        The reader's own key in Label Studio; None until it is learnt.
    compared_at : datetime or None
        When all tasks were last compared with the worklist, by our clock; None before that.
    other_tasks : int
        Tasks found then that no worklist entry knows: foreign ones and second ones.
    """

    reader_id: str
    email: str
    organisation_id: int
    project_id: int
    synced_until: datetime | None = None
    user_id: int | None = None
    compared_at: datetime | None = None
    other_tasks: int = 0


class Readers:
    """The readers kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def ensure(self, reader_ids: Iterable[str], *, now: datetime) -> None:
        """Add the readers that are not there yet.

        Parameters
        ----------
        reader_ids : iterable of str
            Pseudonyms.
        now : datetime
            The time; aware.
        """
        for reader_id in sorted(set(reader_ids) - set(self.ids())):
            self._session.add(ReaderRow(id=reader_id, active=True, added_at=now))
        self._session.flush()

    def ids(self) -> list[str]:
        """Return every reader.

        Returns
        -------
        list of str
            Pseudonyms, sorted.
        """
        return list(self._session.scalars(select(ReaderRow.id).order_by(ReaderRow.id)))

    def set_active(self, reader_id: str, *, active: bool) -> None:
        """Say whether a reader reads; readings are kept either way.

        Parameters
        ----------
        reader_id : str
            Who.
        active : bool
            False for somebody who has left.
        """
        self._session.execute(
            update(ReaderRow).where(ReaderRow.id == reader_id).values(active=active)
        )

    def add_project(self, project: ReaderProject) -> None:
        """Give a reader a project, or replace the one that is gone.

        Parameters
        ----------
        project : ReaderProject
            The reader is known.
        """
        self._session.merge(
            ReadingProjectRow(
                reader_id=project.reader_id,
                email=project.email,
                organisation_id=project.organisation_id,
                project_id=project.project_id,
                user_id=project.user_id,
                synced_until=project.synced_until,
                compared_at=project.compared_at,
                other_tasks=project.other_tasks,
            )
        )
        self._session.flush()

    def projects(self, *, also_of_inactive: bool = False) -> list[ReaderProject]:
        """Return the projects of active readers.

        Parameters
        ----------
        also_of_inactive : bool
            Whether those of readers who have left are given too.

        Returns
        -------
        list of ReaderProject
            By reader; imported readers have none.
        """
        query = (
            select(ReadingProjectRow)
            .join(ReaderRow, ReaderRow.id == ReadingProjectRow.reader_id)
            .order_by(ReadingProjectRow.reader_id)
        )
        if not also_of_inactive:
            query = query.where(ReaderRow.active)
        return [_project(row) for row in self._session.scalars(query)]

    def project_of(self, reader_id: str) -> ReaderProject:
        """Return the project of one reader.

        Parameters
        ----------
        reader_id : str
            Whose.

        Returns
        -------
        ReaderProject
            The project.

        Raises
        ------
        UnknownReaderError
            If the reader has none.
        """
        row = self._session.get(ReadingProjectRow, reader_id, populate_existing=True)
        if row is None:
            raise UnknownReaderError(
                f"{reader_id!r} reads nothing in Label Studio; add the reader first: "
                f"overread readers add {reader_id}"
            )
        return _project(row)

    def user_of(self, reader_id: str) -> int | None:
        """Return a reader's own key in Label Studio.

        Parameters
        ----------
        reader_id : str
            Whose.

        Returns
        -------
        int or None
            None while it is not known.
        """
        return self._session.scalar(
            select(ReadingProjectRow.user_id).where(ReadingProjectRow.reader_id == reader_id)
        )

    def set_user(self, reader_id: str, user_id: int) -> None:
        """Remember a reader's own key in Label Studio.

        Parameters
        ----------
        reader_id : str
            Whose.
        user_id : int
            The key.
        """
        self._set(reader_id, user_id=user_id)

    def set_synced(self, reader_id: str, until: datetime | None) -> None:
        """Remember up to when a project has been pulled.

        Parameters
        ----------
        reader_id : str
            Whose project.
        until : datetime or None
            Changes before this are in the store; aware. None to pull everything again.
        """
        self._set(reader_id, synced_until=until)

    def set_compared(self, reader_id: str, at: datetime, *, other_tasks: int) -> None:
        """Remember that all tasks of a project were compared with the worklist.

        Parameters
        ----------
        reader_id : str
            Whose project.
        at : datetime
            When; aware.
        other_tasks : int
            Tasks that no worklist entry knows.
        """
        self._set(reader_id, compared_at=at, other_tasks=other_tasks)

    def shown_order(self, reader_id: str) -> tuple[str, ...]:
        """Return in which order a project serves what, as it was last pushed.

        Parameters
        ----------
        reader_id : str
            Whose project.

        Returns
        -------
        tuple of str
            What `set_shown_order` was given; nothing before the first push.
        """
        kept = self._session.scalar(
            select(ReadingProjectRow.shown_order).where(ReadingProjectRow.reader_id == reader_id)
        )
        return tuple(kept.split(",")) if kept else ()

    def set_shown_order(self, reader_id: str, order: Sequence[str]) -> None:
        """Remember in which order a project serves what.

        Parameters
        ----------
        reader_id : str
            Whose project.
        order : sequence of str
            One word for each entry, without commas.
        """
        self._set(reader_id, shown_order=",".join(order))

    def _set(self, reader_id: str, **values: object) -> None:
        self._session.execute(
            update(ReadingProjectRow)
            .where(ReadingProjectRow.reader_id == reader_id)
            .values(**values)
        )


def _project(row: ReadingProjectRow) -> ReaderProject:
    return ReaderProject(
        reader_id=row.reader_id,
        email=row.email,
        organisation_id=row.organisation_id,
        project_id=row.project_id,
        synced_until=row.synced_until,
        user_id=row.user_id,
        compared_at=row.compared_at,
        other_tasks=row.other_tasks,
    )
