"""What is known of the tasks of adjudicators' requests: which, how new, lost or not."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from backend.domain.adjudication.request import PENDING, RequestState
from backend.store.tables import AdjudicationRequestRow


@dataclass(frozen=True, slots=True)
class KnownRequestTask:
    """What the store knows of the task of a request.

    Attributes
    ----------
    request_id : int
        The request.
    image_id : str
        What it shows.
    state : RequestState
        How far the request has come.
    task_id : int or None
        Label Studio's key; None before the push.
    updated_at : datetime or None
        How new the newest known state is, by Label Studio's clock; None before the first.
    is_lost : bool
        Whether Label Studio lost what was decided in it.
    """

    request_id: int
    image_id: str
    state: RequestState
    task_id: int | None
    updated_at: datetime | None
    is_lost: bool


class RequestTasks:
    """The tasks of the adjudicators' requests kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def record_task(self, request_id: int, task_id: int, *, link_expires_at: datetime) -> None:
        """Remember which task shows a request.

        Parameters
        ----------
        request_id, task_id : int
            Request, and task in Label Studio.
        link_expires_at : datetime
            How long the image link in the task is good; aware.
        """
        self._change(request_id, task_id=task_id, link_expires_at=link_expires_at)

    def follow_task(self, request_id: int, task_id: int, *, updated_at: datetime) -> None:
        """Remember up to which state a request's task is known.

        Parameters
        ----------
        request_id, task_id : int
            The request, and the task that counts from now on.
        updated_at : datetime
            How new its state is, by Label Studio's clock; aware.
        """
        self._change(request_id, task_id=task_id, task_updated_at=updated_at)

    def set_lost(self, request_id: int, lost_at: datetime | None) -> None:
        """Remember that Label Studio lost a verdict, or that there is one again.

        Parameters
        ----------
        request_id : int
            The request.
        lost_at : datetime or None
            Since when that is known; None when it is not lost.
        """
        self._change(request_id, lost_at=lost_at)

    def forget_tasks(self) -> None:
        """Forget every task, because the project is another one now."""
        self._session.execute(
            update(AdjudicationRequestRow).values(
                task_id=None, task_updated_at=None, link_expires_at=None, lost_at=None
            )
        )

    def known_task(self, request_id: int) -> KnownRequestTask | None:
        """Return what is known of the task of a request.

        Parameters
        ----------
        request_id : int
            The request.

        Returns
        -------
        KnownRequestTask or None
            None when there is no such request.
        """
        return next(iter(self._known(AdjudicationRequestRow.id == request_id)), None)

    def known_tasks(self) -> list[KnownRequestTask]:
        """Return what is known of all tasks.

        Returns
        -------
        list of KnownRequestTask
            One per request, by request; also of those without a task.
        """
        return self._known()

    def with_link_expiring(self, before: datetime) -> set[int]:
        """Return which requests wait for an answer and need a fresh image link in their task.

        Parameters
        ----------
        before : datetime
            Links that expire earlier than this, or nobody knows when; aware.

        Returns
        -------
        set of int
            Keys of requests that have a task; what was skipped can still be opened and answered.
        """
        row = AdjudicationRequestRow
        query = select(row.id).where(
            row.state.in_(PENDING),
            row.task_id.is_not(None),
            or_(row.link_expires_at.is_(None), row.link_expires_at < before),
        )
        return set(self._session.scalars(query))

    def _known(self, *which: ColumnElement[bool]) -> list[KnownRequestTask]:
        row = AdjudicationRequestRow
        query = (
            select(row.id, row.image_id, row.state, row.task_id, row.task_updated_at, row.lost_at)
            .where(*which)
            .order_by(row.id)
        )
        return [
            KnownRequestTask(
                key, image_id, RequestState(state), task_id, updated_at, lost_at is not None
            )
            for key, image_id, state, task_id, updated_at, lost_at in self._session.execute(query)
        ]

    def _change(self, request_id: int, **values: object) -> None:
        self._session.execute(
            update(AdjudicationRequestRow)
            .where(AdjudicationRequestRow.id == request_id)
            .values(**values)
        )
