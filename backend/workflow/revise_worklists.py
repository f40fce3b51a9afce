"""Re-order a worklist, or take entries off it, without touching what is being read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from backend.domain.acquisition import revision
from backend.domain.acquisition.revision import Revision
from backend.domain.worklists import EntryState, WorklistEntry
from backend.label_studio import open_tasks
from backend.label_studio.client import LabelStudioClient
from backend.store.readers import ReaderProject
from backend.store.records import AuditEvent
from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.label_studio_desk import LabelStudioDesk


def revise_worklist(
    store: Store,
    desk: LabelStudioDesk,
    project: ReaderProject,
    *,
    order: Sequence[int] = (),
    unwanted: Mapping[int, str] = MappingProxyType({}),
    now: datetime,
) -> Revision:
    """Give one reader's open entries another order and withdraw some; the next push shows it.

    Being read is what Label Studio keeps an unfinished draft of, and the entry at the head of the
    list, which is what the reader has open if anything: Label Studio's API tells nobody which
    tasks are locked, and the link that readers follow locks none. An entry keeps its arm and the
    model version that it shows, whatever became champion since.

    A withdrawn task is served to nobody any more. It stays for some hours, so that a reader who
    had it open nevertheless can submit; what is submitted counts as read.

    Parameters
    ----------
    store : Store
        The database.
    desk : LabelStudioDesk
        How to reach Label Studio.
    project : ReaderProject
        The reader's; the caller holds the lease of its sync.
    order : sequence of int
        Keys of open entries as they should be read; those not named follow.
    unwanted : mapping of int to str
        Keys of entries to withdraw, with the reason for the audit trail.
    now : datetime
        The time; aware.

    Returns
    -------
    Revision
        What changed, and what was being read and therefore left alone.
    """
    with store.snapshot() as unit:
        entries = unit.worklists.all(reader_id=project.reader_id, state=EntryState.OPEN)
    with desk.open_client(project.reader_id) as client:
        drafted = _drafted(client, [entry for entry in entries if entry.key in unwanted])
    head = [entry.key for entry in entries if entry.task_id is not None][:1]

    change = revision.revise(entries, order, unwanted, {*drafted, *head})

    with store.transaction() as unit:
        gone = _record(unit, project, change, unwanted, now)
    with desk.open_client(project.reader_id) as client:
        open_tasks.stop_serving(
            client.connection, [entry.task_id for entry in gone if entry.task_id is not None]
        )
    return change


def withdraw_all(unit: UnitOfWork, reader_id: str, *, now: datetime) -> int:
    """Withdraw every open entry of a reader who has left.

    Parameters
    ----------
    unit : UnitOfWork
        An open transaction.
    reader_id : str
        Who left.
    now : datetime
        The time; aware.

    Returns
    -------
    int
        How many; their images go to other readers.
    """
    entries = unit.worklists.all(reader_id=reader_id, state=EntryState.OPEN)
    for entry in entries:
        unit.worklists.set_state(entry.key, EntryState.WITHDRAWN, now=now)
    return len(entries)


def _drafted(client: LabelStudioClient, entries: Sequence[WorklistEntry]) -> set[int]:
    return {
        entry.key
        for entry in entries
        if entry.task_id is not None and open_tasks.has_draft(client.connection, entry.task_id)
    }


def _record(
    unit: UnitOfWork,
    project: ReaderProject,
    change: Revision,
    reasons: Mapping[int, str],
    now: datetime,
) -> list[WorklistEntry]:
    # Only what is still open: a reading may have arrived since.
    still_open = {
        entry.key: entry
        for entry in unit.worklists.all(reader_id=project.reader_id, state=EntryState.OPEN)
    }
    unit.worklists.place({key: rank for key, rank in change.ranks.items() if key in still_open})
    gone = [still_open[key] for key in change.withdrawn if key in still_open]
    for entry in gone:
        unit.worklists.set_state(entry.key, EntryState.WITHDRAWN, now=now)
        unit.records.note(
            AuditEvent(
                now,
                "system",
                "take off the worklist",
                f"image:{entry.image_id}",
                {"reader": project.reader_id, "reason": reasons[entry.key]},
            )
        )
    return gone
