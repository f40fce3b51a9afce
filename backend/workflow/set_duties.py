"""Say what readers are preferred for, and until when they are away."""

from collections.abc import Collection, Sequence
from datetime import datetime

from backend.domain.findings import Finding
from backend.store.records import AuditEvent
from backend.store.unit_of_work import UnitOfWork


def set_specialities(
    store: UnitOfWork, reader_ids: Sequence[str], findings: Collection[Finding], *, now: datetime
) -> None:
    """Prefer readers for findings.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    reader_ids : sequence of str
        Who.
    findings : collection of Finding
        What for; nothing for no preference.
    now : datetime
        The time; aware.

    Raises
    ------
    UnknownReaderError
        If one of them reads nothing in Label Studio; nothing is done then.
    """
    _check(store, reader_ids)
    named = [finding.title for finding in sorted(findings)]
    for reader_id in reader_ids:
        store.duties.set_specialities(reader_id, findings)
        _note(store, reader_id, "set specialities", {"findings": named}, now)


def set_away(
    store: UnitOfWork, reader_ids: Sequence[str], until: datetime | None, *, now: datetime
) -> None:
    """Give readers nothing new until they are back; their open images go to others.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    reader_ids : sequence of str
        Who.
    until : datetime or None
        Aware; None for readers who are back.
    now : datetime
        The time; aware.

    Raises
    ------
    UnknownReaderError
        If one of them reads nothing in Label Studio; nothing is done then.
    """
    _check(store, reader_ids)
    for reader_id in reader_ids:
        store.duties.set_away(reader_id, until or now)
        _note(store, reader_id, "set away", {"until": until and until.isoformat()}, now)


def _check(store: UnitOfWork, reader_ids: Sequence[str]) -> None:
    for reader_id in reader_ids:
        store.readers.project_of(reader_id)


def _note(
    store: UnitOfWork, reader_id: str, action: str, detail: dict[str, object], now: datetime
) -> None:
    store.records.note(AuditEvent(now, "system", action, f"reader:{reader_id}", detail))
