"""Leases on jobs that must not run twice, and the audit trail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from backend.store.tables import AuditEventRow, LeaseRow

# A lease that holds for longer than any does was taken by a clock that was set wrong.
_CLOCKS_DIFFER_BY = timedelta(hours=1)


class LeaseTakenError(RuntimeError):
    """Another process is doing this job."""


class LeaseLostError(RuntimeError):
    """Another process has taken a job over, because the one that did it gave no sign of life."""


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
        is_honest = row is not None and row.expires_at <= now + duration + _CLOCKS_DIFFER_BY
        if row is not None and row.holder != holder and is_honest and row.expires_at > now:
            raise LeaseTakenError(
                f"{name} is already running ({row.holder}); it ends by itself, or its lease "
                f"expires at {row.expires_at:%Y-%m-%d %H:%M:%S} UTC"
            )
        self._session.merge(LeaseRow(name=name, holder=holder, expires_at=now + duration))
        self._session.flush()

    def renew_lease(self, name: str, holder: str, *, now: datetime, duration: timedelta) -> None:
        """Renew a lease that is still held.

        Parameters
        ----------
        name : str
            The job.
        holder : str
            Who does it.
        now : datetime
            The time; aware.
        duration : timedelta
            How long it holds from now on.

        Raises
        ------
        LeaseLostError
            If it is somebody else's by now, or was since.
        """
        self.expect_lease(name, holder)
        self._session.execute(
            update(LeaseRow).where(LeaseRow.name == name).values(expires_at=now + duration)
        )

    def expect_lease(self, name: str, holder: str) -> None:
        """Do nothing while a lease is held, expired or not.

        Parameters
        ----------
        name : str
            The job.
        holder : str
            Who does it.

        Raises
        ------
        LeaseLostError
            If it is somebody else's by now, or was since.
        """
        if self.lease_holder(name) != holder:
            raise LeaseLostError(
                f"another process has taken over {name}, because this one gave no sign of life "
                "for minutes; this one stops, and what it had finished is kept"
            )

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

    def is_held(self, name: str, *, now: datetime) -> bool:
        """Return whether somebody holds a lease that has not expired.

        Parameters
        ----------
        name : str
            The job.
        now : datetime
            The time; aware.

        Returns
        -------
        bool
            True also for a few minutes after the holder was killed.
        """
        query = select(LeaseRow.name).where(LeaseRow.name == name, LeaseRow.expires_at > now)
        return self._session.scalar(query) is not None

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
