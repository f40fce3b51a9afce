"""Tasks in Label Studio that could not be read, until they can or are gone."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backend.store.tables import SetAsideTaskRow


@dataclass(frozen=True, slots=True)
class SetAside:
    """A task that was set aside.

    Attributes
    ----------
    reader_id : str
        Whose project it is in.
    task_id : int
        Label Studio's key.
    why : str
        What was expected of it.
    since : datetime
        When it was first met; aware.
    """

    reader_id: str
    task_id: int
    why: str
    since: datetime


class SetAsides:
    """The tasks set aside.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, reader_id: str, task_id: int, why: str, *, now: datetime) -> None:
        """Set a task aside; repeatable, the first time counts.

        Parameters
        ----------
        reader_id : str
            Whose project it is in.
        task_id : int
            Label Studio's key.
        why : str
            What was expected of it.
        now : datetime
            The time; aware.
        """
        known = self._session.get(SetAsideTaskRow, (reader_id, task_id))
        since = now if known is None else known.since
        self._session.merge(
            SetAsideTaskRow(reader_id=reader_id, task_id=task_id, why=why, since=since)
        )
        self._session.flush()

    def release(self, reader_id: str, task_id: int | None = None) -> None:
        """Forget that a task was set aside, because it was read, or is gone.

        Parameters
        ----------
        reader_id : str
            Whose project it is in.
        task_id : int or None
            Label Studio's key; None for all of the reader.
        """
        query = delete(SetAsideTaskRow).where(SetAsideTaskRow.reader_id == reader_id)
        if task_id is not None:
            query = query.where(SetAsideTaskRow.task_id == task_id)
        self._session.execute(query)

    def of(self, reader_id: str) -> list[SetAside]:
        """Return what is set aside.

        Parameters
        ----------
        reader_id : str
            Of whom.

        Returns
        -------
        list of SetAside
            By task.
        """
        query = (
            select(SetAsideTaskRow)
            .where(SetAsideTaskRow.reader_id == reader_id)
            .order_by(SetAsideTaskRow.task_id)
        )
        return [
            SetAside(row.reader_id, row.task_id, row.why, row.since)
            for row in self._session.scalars(query)
        ]
