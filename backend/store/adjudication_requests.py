"""Save and find what adjudicators are asked."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from backend.domain.adjudication.request import Request, RequestState
from backend.store.adjudication_rows import request_columns, request_of
from backend.store.adjudication_tasks import RequestTasks
from backend.store.membership import is_among
from backend.store.tables import AdjudicationRequestRow


class AdjudicationRequests(RequestTasks):
    """The requests kept in the store; one is never removed.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, requests: Sequence[Request], *, now: datetime) -> list[Request]:
        """Add requests.

        Parameters
        ----------
        requests : sequence of Request
            One per image, question and round; a second one violates a constraint.
        now : datetime
            The time; aware.

        Returns
        -------
        list of Request
            The same with their keys.
        """
        rows = [AdjudicationRequestRow(**request_columns(one), created_at=now) for one in requests]
        self._session.add_all(rows)
        self._session.flush()
        return [request_of(row) for row in rows]

    def get(self, request_id: int) -> Request | None:
        """Return one request.

        Parameters
        ----------
        request_id : int
            Its key.

        Returns
        -------
        Request or None
            None when there is none.
        """
        row = self._session.get(AdjudicationRequestRow, request_id, populate_existing=True)
        return None if row is None else request_of(row)

    def all(
        self,
        *,
        image_ids: Iterable[str] | None = None,
        state: RequestState | None = None,
    ) -> list[Request]:
        """Return requests.

        Parameters
        ----------
        image_ids : iterable of str or None
            Of which images; None for all.
        state : RequestState or None
            In which state; None for any.

        Returns
        -------
        list of Request
            In the order in which they are served: the test split first, then by falling
            consequence; those of one image by question and round.
        """
        row = AdjudicationRequestRow
        query: Select[AdjudicationRequestRow] = select(row).order_by(
            row.is_test.desc(), row.consequence.desc(), row.image_id, row.question, row.round
        )
        if image_ids is not None:
            query = query.where(is_among(row.image_id, image_ids))
        if state is not None:
            query = query.where(row.state == state)
        return [request_of(found) for found in self._session.scalars(query)]

    def counts(self) -> dict[RequestState, int]:
        """Return how many requests are in each state.

        Returns
        -------
        dict of RequestState to int
            Every state, also with 0.
        """
        query = select(AdjudicationRequestRow.state, func.count()).group_by(
            AdjudicationRequestRow.state
        )
        found = dict(self._session.execute(query).all())
        return {state: found.get(state.value, 0) for state in RequestState}

    def set_state(
        self, request_id: int, state: RequestState, *, now: datetime, because: str | None = None
    ) -> None:
        """Change how far a request has come.

        Parameters
        ----------
        request_id : int
            Which.
        state : RequestState
            Where it is now.
        now : datetime
            The time; aware.
        because : str or None
            Why it was withdrawn or reopened.
        """
        ended_at = None if state is RequestState.OPEN else now
        self._change(request_id, state=state, ended_at=ended_at, ended_because=because)

    def set_consequence(self, request_id: int, consequence: float, *, is_test: bool) -> None:
        """Change where an open request stands in the order.

        Parameters
        ----------
        request_id : int
            Which.
        consequence : float
            How much depends on it now.
        is_test : bool
            Whether the image is in the test split now.
        """
        self._change(request_id, consequence=consequence, is_test=is_test)
