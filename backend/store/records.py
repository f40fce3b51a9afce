"""Leases on jobs that must not run twice, and the audit trail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backend.store.tables import AuditEventRow, LeaseRow


class LeaseTakenError(RuntimeError):
    """Another process is doing this job."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Who did what.

    Attributes
    ----------
    at : datetime
        When.
    actor : str
        Who: an account, a reader or a job.
    action : str
        What was done, as a verb.
    subject : str
        To what.
    detail : mapping
        More about it; no personal data.
    """

    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, object]


class Records:
    """The leases and audit events kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def take_lease(self, name: str, holder: str, *, now: datetime, duration: timedelta) -> None:
        """Take or renew a lease.

        Parameters
        ----------
        name : str
            The job.
        holder : str
            Who does it; the same holder renews.
        now : datetime
            The time; aware.
        duration : timedelta
            How long it holds unless it is renewed, so that a killed process blocks nobody.

        Raises
        ------
        LeaseTakenError
            If somebody else holds it.
        """
        row = self._session.get(LeaseRow, name, with_for_update=True, populate_existing=True)
        if row is not None and row.holder != holder and row.expires_at > now:
            raise LeaseTakenError(
                f"{name} is already running ({row.holder}); it ends by itself, or its lease "
                f"expires at {row.expires_at:%Y-%m-%d %H:%M:%S} UTC"
            )
        self._session.merge(LeaseRow(name=name, holder=holder, expires_at=now + duration))
        self._session.flush()

    def lease_holder(self, name: str) -> str | None:
        """Return who holds a lease, expired or not.

        Parameters
        ----------
        name : str
            The job.

        Returns
        -------
        str or None
            None when nobody does.
        """
        return self._session.scalar(select(LeaseRow.holder).where(LeaseRow.name == name))

    def end_lease(self, name: str, holder: str) -> None:
        """Give a lease back.

        Parameters
        ----------
        name : str
            The job.
        holder : str
            Who did it; somebody else's lease stays.
        """
        self._session.execute(
            delete(LeaseRow).where(LeaseRow.name == name, LeaseRow.holder == holder)
        )

    def note(self, event: AuditEvent) -> None:
        """Add an event to the audit trail.

        Parameters
        ----------
        event : AuditEvent
            What happened.
        """
        self._session.add(
            AuditEventRow(
                at=event.at,
                actor=event.actor,
                action=event.action,
                subject=event.subject,
                detail=dict(event.detail),
            )
        )
        self._session.flush()

    def events(self, subject: str | None = None) -> list[AuditEvent]:
        """Return the audit trail.

        Parameters
        ----------
        subject : str or None
            About what; None for everything.

        Returns
        -------
        list of AuditEvent
            Oldest first.
        """
        query = select(AuditEventRow).order_by(AuditEventRow.id)
        if subject is not None:
            query = query.where(AuditEventRow.subject == subject)
        return [
            AuditEvent(row.at, row.actor, row.action, row.subject, dict(row.detail))
            for row in self._session.scalars(query)
        ]
