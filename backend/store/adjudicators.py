"""Save and find adjudicators and the desk that they share."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.store.tables import AdjudicationDeskRow, AdjudicatorRow

_THE_ONLY_ONE = 1


@dataclass(frozen=True, slots=True)
class Adjudicator:
    """Somebody who settles what readers dispute.

    Attributes
    ----------
    id : str
        Pseudonym.
    email : str
        What the adjudicator logs in with.
    user_id : int
        Label Studio's key of the user; tells whose an annotation is.
    """

    id: str
    email: str
    user_id: int


@dataclass(frozen=True, slots=True)
class AdjudicationDesk:
    """The one organisation and project in which adjudicators work.

    Attributes
    ----------
    organisation_id, project_id : int
        Keys in Label Studio.
    synced_until : datetime or None
        Changes up to here have been pulled; None before the first sync.
    """

    organisation_id: int
    project_id: int
    synced_until: datetime | None = None


class Adjudicators:
    """The adjudicators kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, adjudicators: Iterable[Adjudicator], *, now: datetime) -> None:
        """Add adjudicators, or change their log-in.

        Parameters
        ----------
        adjudicators : iterable of Adjudicator
            Whom.
        now : datetime
            The time; aware.
        """
        for one in adjudicators:
            row = self._session.get(AdjudicatorRow, one.id)
            if row is None:
                row = AdjudicatorRow(id=one.id, added_at=now)
                self._session.add(row)
            row.email, row.user_id = one.email, one.user_id
        self._session.flush()

    def all(self) -> list[Adjudicator]:
        """Return every adjudicator.

        Returns
        -------
        list of Adjudicator
            By pseudonym.
        """
        rows = self._session.scalars(select(AdjudicatorRow).order_by(AdjudicatorRow.id))
        return [Adjudicator(row.id, row.email, row.user_id) for row in rows]

    def desk(self) -> AdjudicationDesk | None:
        """Return where adjudicators work.

        Returns
        -------
        AdjudicationDesk or None
            None before the first adjudicator was added.
        """
        row = self._session.get(AdjudicationDeskRow, _THE_ONLY_ONE, populate_existing=True)
        if row is None:
            return None
        return AdjudicationDesk(row.organisation_id, row.project_id, row.synced_until)

    def set_desk(self, desk: AdjudicationDesk) -> None:
        """Remember where adjudicators work.

        Parameters
        ----------
        desk : AdjudicationDesk
            A new one, or the one that replaces it.
        """
        self._session.merge(
            AdjudicationDeskRow(
                id=_THE_ONLY_ONE,
                organisation_id=desk.organisation_id,
                project_id=desk.project_id,
                synced_until=desk.synced_until,
            )
        )
        self._session.flush()

    def set_synced(self, until: datetime) -> None:
        """Remember up to when the project has been pulled.

        Parameters
        ----------
        until : datetime
            Changes before this are in the store; aware.
        """
        self._session.execute(update(AdjudicationDeskRow).values(synced_until=until))
